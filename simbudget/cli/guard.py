"""`simbudget guard`: run any program behind a proxy that keeps the cost of its model calls below a cap."""

import json
import re
import sys
from pathlib import Path

import click

from simbudget.cli.options import money, say


def _dollars(context: click.Context, parameter: click.Parameter, text: str | None) -> float | None:
    amount = money(context, parameter, text)
    if amount is not None and amount <= 0:
        raise click.BadParameter(f"{text!r} is not a cap; write an amount above 0, such as $20")
    return amount


def _tokens(_: click.Context, __: click.Parameter, text: str | None) -> int | None:
    """Parse `2M`, `500k` or `10000` into a number of tokens."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,15})(k|M|B)?", text.replace(",", "").replace("_", ""))
    if found is None or int(found[1]) == 0:
        raise click.BadParameter(f"{text!r} is not a number of tokens; write for example 2M")
    return int(found[1]) * {"k": 10**3, "M": 10**6, "B": 10**9, None: 1}[found[2]]


@click.command("guard", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--cap", callback=_dollars, metavar="$", help="Maximum total cost, such as $20.")
@click.option(
    "--cap-tokens", callback=_tokens, metavar="TOKENS", help="Maximum total number of tokens, such as 2M."
)
@click.option("--per-agent", callback=_dollars, metavar="$", help="Cap per agent (header x-simbudget-agent).")
@click.option("--per-task", callback=_dollars, metavar="$", help="Cap per task (header x-simbudget-task).")
@click.option("--per-day", callback=_dollars, metavar="$", help="Cap per day (UTC).")
@click.option(
    "--ledger",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("spend.sqlite"),
    show_default=True,
    help="Record of spend; guards with the same file share its caps.",
)
@click.option(
    "--max-output-tokens",
    type=click.IntRange(1),
    help="Output limit for requests that set none.",
)
@click.option(
    "--wait", type=click.FloatRange(0), default=120.0, show_default=True,
    help="Seconds that a call waits for calls in progress to release budget.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the spend as JSON, to stderr.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def guard_command(  # noqa: PLR0913, PLR0917  one parameter for each option
    cap: float | None,
    cap_tokens: int | None,
    per_agent: float | None,
    per_task: float | None,
    per_day: float | None,
    ledger: Path,
    max_output_tokens: int | None,
    wait: float,
    as_json: bool,
    command: tuple[str, ...],
) -> None:
    """Run COMMAND with a cap on what its model calls cost.

    Starts a proxy on this machine and sets ANTHROPIC_BASE_URL and OPENAI_BASE_URL for COMMAND, so that its SDKs call
    through it. A call that could exceed a cap is not made; it is answered with an error, status 402. The exit status
    is that of COMMAND.

    Example: simbudget guard --cap '$20' -- python fleet.py
    """
    import os  # noqa: PLC0415

    from simbudget.errors import Problem, UserError  # noqa: PLC0415
    from simbudget.guard import BudgetGuard, Cap  # noqa: PLC0415
    from simbudget.guard.proxy import ANTHROPIC, OPENAI, Proxy  # noqa: PLC0415
    from simbudget.guard.running import run_behind  # noqa: PLC0415

    caps = [Cap(usd=cap, tokens=cap_tokens)] if cap is not None or cap_tokens is not None else []
    for per, usd in (("agent", per_agent), ("task", per_task), ("day", per_day)):
        if usd is not None:
            caps.append(Cap(per, usd=usd))  # type: ignore[arg-type]
    if not caps:
        raise UserError(Problem("no cap is given", remedy="give one, such as --cap '$20'"))
    proxy = Proxy(
        BudgetGuard(ledger, caps=caps),
        os.environ.get("ANTHROPIC_BASE_URL") or ANTHROPIC,
        os.environ.get("OPENAI_BASE_URL") or OPENAI,
        max_output_tokens,
        wait,
    )
    status = run_behind(proxy, command)
    spend = proxy.guard.spend()
    if as_json:
        said = {**vars(spend), "refused_calls": proxy.refused, "ledger": str(ledger)}
        click.echo(json.dumps(said), err=True)
    else:
        open_part = (
            f", and at most ${spend.open_usd:.4f} for calls with an unknown outcome" if spend.open_usd else ""
        )
        say(
            f"simbudget guard: ${spend.settled_usd:.4f} billed{open_part}; {proxy.refused} calls refused. "
            f"Ledger: {ledger}",
            err=True,
        )
    sys.exit(status)
