"""The track record: what backtests on the logs that the project was built with showed, as it ships with the product.

`make backtest` writes `track_record.json`; new backtests learn from its cases how far to stretch intervals.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

from simbudget.forecast.conformal import PastCase

CAMPAIGN_QUANTITIES: Final = ("experiments", "gpu_time_s", "failures", "kept", "best_score")
FILE: Final = "track_record.json"


@lru_cache(maxsize=1)
def track_record() -> Mapping[str, Any]:
    """Return the record; empty if none was written yet."""
    path = files("simbudget.forecast").joinpath(FILE)
    if not path.is_file():
        return {}
    content: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def past_cases(by: str) -> dict[str, list[PastCase]]:
    """Return the record's cases of one task, by quantity; those of campaigns are of time, whatever the task."""
    cases: dict[str, list[PastCase]] = {}
    record = track_record().get("cases", {})
    of_campaigns = {name: record.get("time", {}).get(name, []) for name in CAMPAIGN_QUANTITIES}
    for quantity, rows in (of_campaigns | record.get(by, {})).items():
        cases[quantity] = [PastCase(str(p), str(run), float(position)) for p, run, position in rows]
    return cases
