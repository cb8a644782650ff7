"""`simbudget evidence`: what is published on how often results hold, and the defaults that follow from it."""

import click

from simbudget.cli.options import show


@click.command("evidence")
@click.argument("key", required=False)
@click.option("--claims", "shows_claims", is_flag=True, help="Show the published claims one by one.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def evidence_command(key: str | None, shows_claims: bool, as_json: bool) -> None:
    """Show what is published on how often results of autonomous research hold.

    KEY is a key of `research`, such as `transfers`, or `keeps`: its claims are then shown with their sources.
    """
    from simbudget.published.evidence import published_evidence  # noqa: PLC0415

    show(published_evidence(key, shows_claims), as_json=as_json)
