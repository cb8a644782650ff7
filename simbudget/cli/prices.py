"""`simbudget prices`: what models and GPUs cost on a date, and where that is known from."""

import dataclasses
import datetime
import json

import click


@click.command("prices")
@click.argument("model", required=False)
@click.option("--on", type=click.DateTime(["%Y-%m-%d"]), help="The date; today if not given.")
@click.option("--provider", default="anthropic", show_default=True, help="Whose models to list.")
@click.option("--gpus", is_flag=True, help="Show the table of GPU prices.")
@click.option("--json", "as_json", is_flag=True, help="Print the prices as JSON.")
def prices_command(
    model: str | None, on: datetime.datetime | None, provider: str, gpus: bool, as_json: bool
) -> None:
    """Show what MODEL costs in $/Mtok, or what all models of a provider cost."""
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
