"""Golden figures: what every scenario of the repository and sixty random ones came to, to the last bit.

`python -m tests.golden.golden --write` makes the files; a change of meaning says in the changelog why they changed.
A key that a summary has gained since is no difference; a value that moved is.
"""

import argparse
import json
import math
from pathlib import Path
from typing import Any

import yaml

from simbudget.projection.run import Options, project
from simbudget.scenario.loading import load_scenario, loads_scenario

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BUNDLED = {path.stem: path for path in sorted((ROOT / "scenarios").glob("*.yaml"))}
DAY = "2026-11-28"
REPLICATIONS = {"fleet-of-200": 4}  # the largest; others take 20


def bundled(name: str) -> dict[str, Any]:
    """Return the summary of one of the repository's scenarios."""
    scenario = load_scenario(BUNDLED[name]).scenario
    if (
        "\nprices:" not in BUNDLED[name].read_text()
    ):  # it is priced as of today, and the figures are of one day
        scenario = scenario.replace(prices={"on": DAY})
    return _plain(project(scenario, Options(1, REPLICATIONS.get(name, 20))).as_json())


def random_one(text: str) -> dict[str, Any]:
    """Return the summary of a scenario's text, over three replications."""
    return _plain(project(loads_scenario(text).scenario, Options(1, 3)).as_json())


def missing(golden: Any, found: Any, place: str = "") -> list[str]:
    """Return where `found` differs from `golden`; what it has beyond it does not count."""
    if isinstance(golden, dict) and isinstance(found, dict):
        return [
            line
            for key, value in golden.items()
            for line in (
                missing(value, found[key], f"{place}.{key}") if key in found else [f"{place}.{key}: gone"]
            )
        ]
    if isinstance(golden, list) and isinstance(found, list) and len(golden) == len(found):
        return [
            line
            for n, pair in enumerate(zip(golden, found, strict=True))
            for line in missing(*pair, f"{place}[{n}]")
        ]
    if FITTED in place and isinstance(golden, float) and isinstance(found, float):
        same = math.isclose(golden, found, rel_tol=1e-9)
    else:
        same = golden == found
    return [] if same else [f"{place}: {golden!r} became {found!r}"]


def random_texts() -> list[str]:
    """Return sixty random scenarios, kept as text so that they outlive the strategies that drew them."""
    kept = HERE / "random-scenarios.yaml"
    return [yaml.safe_dump(each, sort_keys=False) for each in yaml.safe_load_all(kept.read_text())]


def _plain(summary: Any) -> dict[str, Any]:
    return {
        key: value
        for key, value in json.loads(json.dumps(summary, default=float)).items()
        if key not in UNSTABLE
    }


FITTED = ".by_world."
"""Figures of an iterative fit, whose last bits depend on the processor's linear algebra."""

UNSTABLE = {"scenario", "notes", "elapsed_s"}  # words and clocks, which say nothing of the simulation


def _draw_random(count: int) -> None:
    from hypothesis import HealthCheck, given, seed, settings  # noqa: PLC0415

    from simbudget.testing import documents, load  # noqa: PLC0415

    kept: list[dict[str, Any]] = []

    @seed(20261128)
    @settings(max_examples=count * 4, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(documents())
    def collect(document: dict[str, Any]) -> None:
        if len(kept) < count and load(document) is not None:
            kept.append(document)

    collect()
    (HERE / "random-scenarios.yaml").write_text(yaml.safe_dump_all(kept, sort_keys=False))


def main() -> None:
    """Write the golden files."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", action="store_true", required=True)
    parser.add_argument("--draw", type=int, help="draw so many random scenarios anew")
    given_options = parser.parse_args()
    if given_options.draw:
        _draw_random(given_options.draw)
    figures = {name: bundled(name) for name in BUNDLED}
    (HERE / "bundled.json").write_text(json.dumps(figures, indent=1) + "\n")
    (HERE / "random.json").write_text(
        json.dumps([random_one(text) for text in random_texts()], indent=0) + "\n"
    )


if __name__ == "__main__":
    main()
