"""`simbudget import`: read logs of real runs into a ledger, and summarise their content."""

import datetime
from pathlib import Path

import click

from simbudget.cli.options import assumption_options, say, show


@click.command("import")
@click.argument("logs", nargs=-1, type=click.Path(path_type=Path), metavar="[LOG]...")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the ledger here, as .parquet or .csv.",
)
@click.option("--columns", metavar="A=B,...", help="Column mapping for other tables (started=ts,input=in).")
@assumption_options
@click.option("--summary", is_flag=True, help="Print a summary; the default if nothing is written.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def import_command(  # noqa: PLR0913, PLR0917  one parameter for each option
    logs: tuple[Path, ...],
    output: Path | None,
    columns: str | None,
    model: str,
    on: datetime.date | None,
    summary: bool,
    as_json: bool,
) -> None:
    """Read logs of real runs: files, or folders to search for them.

    The format is recognised from a file's content, gzipped or not:

    \b
    sessions     Claude Code, Codex, OpenCode, Pi, Gemini CLI, Qwen Code,
                 Copilot CLI, Cline, Roo Code, managed agents
    output       claude -p, codex exec --json, gemini --output-format,
                 opencode run --format json
    evaluations  Inspect, SWE-agent, mini-swe-agent, OpenHands,
                 Terminal-Bench, Harbor
    calls        OpenTelemetry (OTLP JSON), LiteLLM, Langfuse, LangSmith,
                 answers of OpenAI, Anthropic and Google, usage JSONL
    bills        exports of Anthropic, OpenAI, OpenRouter and Cursor
    experiments  results.tsv, autoresearch.jsonl, journals of AIDE and
                 MLE-bench, tables of trackers
    others       tables with --columns, simbudget's ledgers and pilots

    Without a LOG, searches the places where the tools keep their logs.
    """  # noqa: D301  click takes the control character for "do not wrap"
    from simbudget.ledger.found import find  # noqa: PLC0415
    from simbudget.ledger.readers import Assumed, column_map  # noqa: PLC0415
    from simbudget.ledger.stored import check_name, write_ledger  # noqa: PLC0415
    from simbudget.report.terminal import reading  # noqa: PLC0415

    if output is not None:
        check_name(output)
    with reading() as begins:
        found = find(logs, column_map(columns), begins, Assumed(model, on))
    show(found, as_json=as_json, quiet=not summary and output is not None)
    if output is not None:
        written = write_ledger(found.ledger, output)
        say(f"Wrote {', '.join(map(str, written))}.", err=as_json)
