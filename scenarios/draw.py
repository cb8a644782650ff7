"""Draw the pictures of every scenario into plots/: `make examples`."""

from pathlib import Path

from simbudget.projection.run import Options, project
from simbudget.scenario.loading import load_scenario

HERE = Path(__file__).parent
REPLICATIONS = 400


def main() -> None:
    """Project each scenario with its default seed, and write its pictures with their data."""
    for path in sorted(HERE.glob("*.yaml")):
        projection = project(load_scenario(path).scenario, Options(replications=REPLICATIONS))
        folder = HERE.parent / "plots" / path.stem
        for written in projection.write_figures(folder):
            if written.name == "gantt.csv":
                written.unlink()  # as long as a run; `simbudget trace` writes it
        print(f"{path.name}: {projection.summary.spend_usd.p50:,.0f} $ (median)")


if __name__ == "__main__":
    main()
