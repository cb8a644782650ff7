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
    from simbudget.prices.gpus import list_gpus  # noqa: PLC0415
    from simbudget.prices.models import list_models, model_prices  # noqa: PLC0415
    from simbudget.report.console import standard_output  # noqa: PLC0415
    from simbudget.report.price_tables import gpu_table, model_table  # noqa: PLC0415

    day = on.date() if on else datetime.date.today()
    if gpus:
        rows = list_gpus()
        table = gpu_table(rows)
    else:
        rows = tuple([model_prices(model, day)] if model else list_models(day, provider))  # type: ignore[assignment]
        table = model_table(rows, day)  # type: ignore[arg-type]
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(row) for row in rows], indent=2, default=str))
    else:
        standard_output().print(table)
