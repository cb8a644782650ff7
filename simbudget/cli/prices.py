"""`simbudget prices`: prices of models and GPUs on a date, with their sources."""

import datetime
import json

import click

from simbudget.cli.options import show


@click.command("prices")
@click.argument("model", required=False)
@click.option("--on", type=click.DateTime(["%Y-%m-%d"]), help="Date.  [default: today]")
@click.option("--provider", default="anthropic", show_default=True, help="Provider whose models are listed.")
@click.option("--gpus", is_flag=True, help="Show GPU prices instead.")
@click.option("--json", "as_json", is_flag=True, help="Print the prices as JSON.")
def prices_command(
    model: str | None, on: datetime.datetime | None, provider: str, gpus: bool, as_json: bool
) -> None:
    """Show the price of MODEL in $/Mtok, or the prices of all models of a provider.

    Example: simbudget prices opus --on 2026-03-01
    """
    from simbudget.pricing.listing import list_gpu_prices, list_prices  # noqa: PLC0415

    # The JSON is a list of rows; the notes are for people.
    if gpus:
        offers = list_gpu_prices()
        show(offers) if not as_json else click.echo(json.dumps(offers.as_json()["gpus"], indent=2))
        return
    found = list_prices(model, on.date() if on else None, provider)
    show(found) if not as_json else click.echo(json.dumps(found.as_json()["models"], indent=2))
