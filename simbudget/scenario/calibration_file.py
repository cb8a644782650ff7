"""The file that `simbudget calibrate` writes beside a scenario: joint draws of what was learnt, one row a world.

A Parquet table with three columns a quantity (location, scatter, difference between contexts; of a fact only its
value counts), and in its metadata, as JSON, each quantity's evidence, family and shape. A quantity of the
scenario reads from it as long as its text is the one that the calibration wrote, or its default: a value that
was changed by hand since is the user's again.
"""

import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from simbudget.distributions.posteriors import Posterior

_KEY: Final = b"simbudget calibration"
_VERSION: Final = 1
_PARAMETERS: Final = ("location", "scatter", "between")

ByRun = Mapping[str, tuple[int, int]]
"""By run: so many of so many."""


@dataclass(frozen=True)
class Evidence:
    """What a calibrated quantity rests on."""

    observations: int
    runs: int
    source: str
    """The formats of the logs, such as `claude-code`."""
    date: str
    """The day of the last observation; empty if the logs have none."""
    censored: int = 0
    """Observations of which only a lower bound is known, as of jobs that ran when the log ended."""
    remark: str = ""
    """What a reader should know, such as that counts were missing."""

    def __str__(self) -> str:
        """Return it as `check` shows it."""
        runs = f"{self.runs:,} run{'s' if self.runs != 1 else ''}"
        parts = [f"n={self.observations:,} from {runs}", self.source, self.date]
        return f"calibration ({', '.join(part for part in parts if part)})"


@dataclass(frozen=True)
class CalibratedQuantity:
    """One quantity as a calibration left it."""

    name: str
    written: str
    """The text that stands for it in the scenario."""
    family: str
    """`lognormal`, `empirical`, ... or `fact`."""
    posterior: Posterior
    evidence: Evidence


@dataclass(frozen=True)
class Checked:
    """One check of a calibration on its own logs: simulated beside observed."""

    label: str
    mean_ratio: float
    """Simulated over observed mean."""
    words: str
    """What the model does not reproduce, and what that means; empty if it does."""


@dataclass(frozen=True)
class Calibration:
    """What a calibration file holds."""

    quantities: Mapping[str, CalibratedQuantity]
    record: Mapping[str, Any] = field(default_factory=dict)
    """The track record of the method, as `backtest` writes it; empty if there is none."""
    checks: tuple[Checked, ...] = ()
    """Empty if what was calibrated on was not simulated."""
    counted: Mapping[str, ByRun] = field(default_factory=dict)
    """Into what runs of logs have been counted, such as `evidence.gates[held-out]`, so that none counts twice."""


class NotACalibrationError(ValueError):
    """A file is not what `calibrate` writes; the text says why."""


def write_calibration(calibration: Calibration, path: Path) -> None:
    """Write a calibration, the same bytes for the same content."""
    path.write_bytes(calibration_bytes(calibration))


def calibration_bytes(calibration: Calibration) -> bytes:
    """Return a calibration as the bytes of its file."""
    import pyarrow as pa  # noqa: PLC0415  slow to import, and seldom needed
    import pyarrow.parquet as pq  # noqa: PLC0415

    columns, about = {}, {}
    for name, quantity in calibration.quantities.items():
        for index, parameter in enumerate(_PARAMETERS):
            columns[f"{name}: {parameter}"] = pa.array(quantity.posterior.draws[:, index])
        shape = quantity.posterior.shape
        about[name] = {
            "written": quantity.written,
            "family": quantity.family,
            "is_fact": quantity.posterior.is_fact,
            "shape": None if shape is None else shape.tolist(),
            "evidence": asdict(quantity.evidence),
        }
    content = {"version": _VERSION, "quantities": about, "record": dict(calibration.record)}
    content["checks"] = [asdict(check) for check in calibration.checks]
    content["counted"] = {name: dict(runs) for name, runs in calibration.counted.items()}
    table = pa.table(columns).replace_schema_metadata({_KEY: json.dumps(content).encode()})
    content_bytes = pa.BufferOutputStream()
    pq.write_table(table, content_bytes, compression="zstd")
    return bytes(content_bytes.getvalue())


def read_calibration(path: Path) -> Calibration:
    """Return the calibration in a file.

    Raises:
        NotACalibrationError: there is no such file, or it is something else.
    """
    return _read(path)


def calibration_of_bytes(content: bytes) -> Calibration:
    """Return the calibration that a file of these bytes holds; NotACalibrationError for something else."""
    return _read(io.BytesIO(content))


def _read(source: Path | io.BytesIO) -> Calibration:
    import pyarrow as pa  # noqa: PLC0415  slow to import, and seldom needed
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        table = pq.read_table(source)
        content = json.loads((table.schema.metadata or {})[_KEY])
        quantities = {name: _quantity(name, about, table) for name, about in content["quantities"].items()}
        record = content["record"]
        checks = tuple(Checked(**check) for check in content.get("checks", []))
        counted = {name: _by_run(runs) for name, runs in content.get("counted", {}).items()}
    except FileNotFoundError:
        raise NotACalibrationError("there is no such file") from None
    except (KeyError, TypeError, ValueError, OSError, pa.ArrowException):
        raise NotACalibrationError("this is no file that `simbudget calibrate` wrote") from None
    return Calibration(quantities, record, checks, counted)


def _by_run(runs: dict[str, list[int]]) -> ByRun:
    return {str(run): (int(hits), int(trials)) for run, (hits, trials) in runs.items()}


def _quantity(name: str, about: dict[str, Any], table: Any) -> CalibratedQuantity:
    draws = np.column_stack([table.column(f"{name}: {parameter}").to_numpy() for parameter in _PARAMETERS])
    if not len(draws) or not np.isfinite(draws).all():
        raise ValueError(name)
    shape = None if about["shape"] is None else np.array(about["shape"], dtype=np.float64)
    posterior = Posterior(draws.astype(np.float64), shape, bool(about["is_fact"]))
    return CalibratedQuantity(
        name, str(about["written"]), str(about["family"]), posterior, Evidence(**about["evidence"])
    )
