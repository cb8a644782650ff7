"""`simbudget prices`: prices of models and GPUs on a date, with their sources."""

import dataclasses
import datetime
import json

import click


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
    from simbudget.pricing.catalogue import list_models, model_prices  # noqa: PLC0415
    from simbudget.pricing.gpus import list_gpus  # noqa: PLC0415
    from simbudget.report.price_tables import gpu_table, model_table  # noqa: PLC0415
    from simbudget.report.terminal import standard_output  # noqa: PLC0415

    day = on.date() if on else datetime.date.today()
    models = [] if gpus else [model_prices(model, day)] if model else list_models(day, provider)
    if as_json:
        rows = [dataclasses.asdict(row) for row in (list_gpus() if gpus else models)]
        click.echo(json.dumps(rows, indent=2, default=str))
        return
    standard_output().print(gpu_table(list_gpus()) if gpus else model_table(models, day))
