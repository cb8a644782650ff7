"""`simbudget evidence`: published evidence on how often results hold, and the defaults derived from it."""

import click

from simbudget.cli.options import show


@click.command("evidence")
@click.argument("key", required=False)
@click.option("--claims", "shows_claims", is_flag=True, help="Show the published claims one by one.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def evidence_command(key: str | None, shows_claims: bool, as_json: bool) -> None:
    """Show published evidence on how often results of autonomous research hold.

    KEY is a key of `research`, such as `transfers`, or `keeps`: shows the claims behind it with their sources.

    Example: simbudget evidence transfers
    """
    from simbudget.published.evidence import published_evidence  # noqa: PLC0415

    show(published_evidence(key, shows_claims), as_json=as_json)
