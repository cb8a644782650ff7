"""`simbudget review`: what the detectors found in a pilot's submissions, and people's decisions on them."""

from pathlib import Path

import click

from simbudget.cli.options import show


@click.command("review")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option(
    "--show", "number", type=int, metavar="NUMBER", help="Show a submission with its evidence and code."
)
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
    number: int | None,
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
    from simbudget.pilot.review.result import review_pilot  # noqa: PLC0415
    from simbudget.report.terminal import standard_output  # noqa: PLC0415

    found = review_pilot(directory, accept, reject, note, everything)
    if number is not None and not as_json:
        standard_output().print(found.case(number), markup=False, highlight=False, soft_wrap=True)
        return
    show(found, as_json=as_json)
