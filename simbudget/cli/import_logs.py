"""`simbudget import`: logs of real runs to a ledger, and what was found in them."""

import json
from pathlib import Path

import click


@click.command("import")
@click.argument("logs", nargs=-1, type=click.Path(path_type=Path), metavar="[LOG]...")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the ledger: .parquet or .csv.",
)
@click.option(
    "--columns", metavar="A=B,...", help="For other tables: which column is what (started=ts,input=in)."
)
@click.option("--summary", is_flag=True, help="Say what was found; done anyway if nothing is written.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def import_command(
    logs: tuple[Path, ...], output: Path | None, columns: str | None, summary: bool, as_json: bool
) -> None:
    """Read logs of real runs: files, or folders that are searched for them.

    The format is recognised by what is in a file: sessions of Claude Code, Codex, OpenCode, Pi and managed
    agents, results of `claude -p`, trajectories of SWE-agent and mini-swe-agent, Inspect logs, OpenTelemetry
    spans (OTLP JSON), results.tsv and autoresearch.jsonl, usage JSONL, simbudget's own ledgers and pilots,
    gzipped or not. Without a LOG, the places are searched where the tools keep theirs.
    """
    from simbudget.ledger.readers import column_map, stream_logs  # noqa: PLC0415
    from simbudget.ledger.readers.places import usual_places  # noqa: PLC0415
    from simbudget.ledger.stored import check_name, write_ledger  # noqa: PLC0415
    from simbudget.ledger.summary import summarise  # noqa: PLC0415
    from simbudget.report.import_tables import found, import_tables, places_table  # noqa: PLC0415
    from simbudget.report.terminal import reading, standard_output  # noqa: PLC0415

    if output is not None:
        check_name(output)
    console = standard_output()
    if not logs:
        places = usual_places()
        if not as_json:
            console.print(places_table(places))
        logs = tuple(place.path for place in places if place.files)
    with reading() as begins:
        ledger = stream_logs(logs, column_map(columns), begins)
    figures = summarise(ledger)
    if as_json:
        click.echo(json.dumps(figures, indent=2, allow_nan=False))
    else:
        click.echo(found(figures))
    if not as_json and (summary or output is None):
        for table in import_tables(figures):
            console.print(table)
    if output is not None:
        written = write_ledger(ledger, output)
        click.echo(f"Wrote {', '.join(map(str, written))}.", err=as_json)
