"""`simbudget review`: what the detectors found in a pilot's submissions, and people's decisions on them."""

import json
from pathlib import Path

import click


@click.command("review")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--show", type=int, metavar="NUMBER", help="Show a submission with its evidence and code.")
@click.option(
    "--accept", type=int, multiple=True, metavar="NUMBER", help="Accept a submission; may be repeated."
)
@click.option(
    "--reject", type=int, multiple=True, metavar="NUMBER", help="Reject a submission; may be repeated."
)
@click.option("--note", default="", help="Reason, kept with the decision.")
@click.option("--all", "everything", is_flag=True, help="Also list submissions that have been decided.")
@click.option("--json", "as_json", is_flag=True, help="Print only the state of the review, as JSON.")
def review_command(  # noqa: PLR0913, PLR0917  one parameter for each option
    directory: Path,
    show: int | None,
    accept: tuple[int, ...],
    reject: tuple[int, ...],
    note: str,
    everything: bool,
    as_json: bool,
) -> None:
    """Review the submissions of the pilot in DIRECTORY.

    Example: simbudget review pilot-out --reject 7 --note "read the labels"

    Lists the submissions that await a decision. A flagged submission does not count until it has been accepted.
    """
    from simbudget.pilot.review.played import played_hacks  # noqa: PLC0415
    from simbudget.pilot.review.queue import case_of, decide, find_database, open_store, review, source_of  # noqa: PLC0415
    from simbudget.report.review_tables import (  # noqa: PLC0415
        as_plain,
        case_text,
        hacks_table,
        queue_table,
        review_answer,
    )
    from simbudget.report.terminal import standard_output  # noqa: PLC0415

    both = sorted(set(accept) & set(reject))
    if both:
        raise click.UsageError(f"submission {both[0]} cannot be both accepted and rejected")
    store = open_store(find_database(directory))
    decide(store, [*((number, True) for number in accept), *((number, False) for number in reject)], note)
    state = review(store)
    hacks = played_hacks(state)
    if as_json:
        click.echo(json.dumps(as_plain(state, hacks), indent=2))
        return
    console = standard_output()
    if show is not None:
        case = case_of(state, show)
        console.print(case_text(case, source_of(store, case)), markup=False, highlight=False, soft_wrap=True)
        return
    console.print(review_answer(state, hacks), highlight=False, soft_wrap=True)
    table = queue_table(state, everything)
    if table.row_count:
        console.print(table, highlight=False)
    if hacks:
        console.print(hacks_table(state, hacks), highlight=False)
