"""`simbudget usage`: past spend, by day, model or task, from logs of any known format."""

import datetime
from pathlib import Path

import click

from simbudget.cli.options import assumption_options, date_option, say, show

_BY = ("day", "week", "month", "project", "model", "session", "agent", "task")


@click.command("usage")
@click.argument("logs", nargs=-1, type=click.Path(path_type=Path), metavar="[LOG]...")
@click.option(
    "--by", type=click.Choice(_BY), default="day", show_default=True, help="How to group the spend."
)
@date_option("--since", "First day to include (UTC).")
@date_option("--until", "Last day to include (UTC).")
@assumption_options
@click.option("--json", "as_json", is_flag=True, help="Print only JSON.")
@click.option("--csv", "as_csv", is_flag=True, help="Print only CSV, with a row per group and model.")
def usage_command(  # noqa: PLR0913, PLR0917  one parameter for each option
    logs: tuple[Path, ...],
    by: str,
    since: datetime.date | None,
    until: datetime.date | None,
    model: str,
    on: datetime.date | None,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Show past tokens and cost, from logs of any format that `import` reads.

    Without a LOG, searches the places where the tools keep their logs: Claude Code, Codex, OpenCode, Gemini, Qwen,
    Copilot, Pi.

    Example: simbudget usage --by month
    """
    from simbudget.ledger.readers import Assumed  # noqa: PLC0415
    from simbudget.ledger.usage import usage  # noqa: PLC0415
    from simbudget.report.terminal import reading  # noqa: PLC0415

    with reading() as begins:
        report = usage(logs, by, since=since, until=until, assumed=Assumed(model, on), begins=begins)  # type: ignore[arg-type]
    if as_csv:
        say(report.as_csv().removesuffix("\n"))
        return
    show(report, as_json=as_json)
