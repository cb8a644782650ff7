"""Draw the pictures of every scenario into plots/: `make examples`."""

from pathlib import Path

from simbudget.engine.lowering.settings import not_compiled
from simbudget.projection.run import Options, project
from simbudget.scenario.loading import load_scenario

HERE = Path(__file__).parent
REPLICATIONS = 400
FEWER = 40
"""Where the reference engine simulates, which is some hundred times slower."""


def main() -> None:
    """Project each scenario with its default seed, and write its pictures with their data."""
    for path in sorted(HERE.glob("*.yaml")):
        scenario = load_scenario(path).scenario
        count = FEWER if not_compiled(scenario) else REPLICATIONS
        projection = project(scenario, Options(replications=count))
        folder = HERE.parent / "plots" / path.stem
        for written in projection.write_figures(folder):
            if written.name == "gantt.csv":
                written.unlink()  # as long as a run; `simbudget trace` writes it
        print(f"{path.name}: {projection.summary.spend_usd.p50:,.0f} $ (median)")


if __name__ == "__main__":
    main()
