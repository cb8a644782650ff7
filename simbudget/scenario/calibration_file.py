"""The file that `simbudget calibrate` writes beside a scenario: joint draws of learnt quantities, one row per world.

It is a Parquet table with three columns per quantity (location, scatter, difference between contexts; for a fact only
the location matters). Its metadata contain, as JSON, each quantity's evidence, family and shape. A quantity of the
scenario is taken from the file as long as its text is the calibrated one or it is a default; a value that was changed
by hand afterwards is the user's again.
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
"""Version of the file format; a file of another one is refused."""
_PARAMETERS: Final = ("location", "scatter", "between")

ByRun = Mapping[str, tuple[int, int]]
"""Counts by run: (hits, trials)."""


@dataclass(frozen=True)
class LearntFrom:
    """The evidence behind a calibrated quantity."""

    observations: int
    runs: int
    source: str
    """Formats of the logs, such as `claude-code`."""
    date: str
    """Date of the last observation; empty if the logs have none."""
    censored: int = 0
    """Number of observations known only as a lower bound, such as jobs still running when the log ended."""
    remark: str = ""
    """What a reader should know, for example that counts were missing."""

    def __str__(self) -> str:
        """Return the evidence as shown by `check`."""
        runs = f"{self.runs:,} run{'s' if self.runs != 1 else ''}"
        parts = [f"n={self.observations:,} from {runs}", self.source, self.date]
        return f"calibration ({', '.join(part for part in parts if part)})"


@dataclass(frozen=True)
class CalibratedQuantity:
    """One calibrated quantity."""

    name: str
    written: str
    """Its text in the scenario."""
    family: str
    """`lognormal`, `empirical`, ... or `fact`."""
    posterior: Posterior
    evidence: LearntFrom


@dataclass(frozen=True)
class Checked:
    """One check of a calibration against its own logs: simulated versus observed."""

    label: str
    mean_ratio: float
    """Simulated mean divided by observed mean."""
    words: str
    """What the model does not reproduce, and what follows from that; empty if it reproduces it."""


@dataclass(frozen=True)
class Calibration:
    """The content of a calibration file."""

    quantities: Mapping[str, CalibratedQuantity]
    record: Mapping[str, Any] = field(default_factory=dict)
    """The track record of the method, as written by `backtest`; empty if there is none."""
    checks: tuple[Checked, ...] = ()
    """Empty if the runs that were calibrated on were not simulated."""
    counted: Mapping[str, ByRun] = field(default_factory=dict)
    """Counts by run that have entered each key, such as `evidence.gates[held-out]`, so that no run counts twice."""


_MOST_ROWS: Final = 1_000_000
"""A calibration has as many rows as its longest list of draws: some thousands."""


class NotACalibrationError(ValueError):
    """A file was not written by `calibrate`; the message says why."""


def write_calibration(calibration: Calibration, path: Path) -> None:
    """Write a calibration; the same content gives the same bytes.

    Args:
        calibration: what was learnt.
        path: file to write, `.parquet`.
    """
    path.write_bytes(calibration_bytes(calibration))


def calibration_bytes(calibration: Calibration) -> bytes:
    """Return a calibration as the content of its file."""
    import pyarrow as pa  # noqa: PLC0415  slow to import, and rarely needed
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
    """Read a calibration file.

    Raises:
        NotACalibrationError: there is no such file, or it is something else.
    """
    return _read(path)


def calibration_of_bytes(content: bytes) -> Calibration:
    """Return the calibration in the content of a file.

    Raises:
        NotACalibrationError: the content is something else.
    """
    return _read(io.BytesIO(content))


def _read(source: Path | io.BytesIO) -> Calibration:
    import pyarrow as pa  # noqa: PLC0415  slow to import, and rarely needed
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        if isinstance(source, Path) and source.exists() and not source.is_file():
            raise NotACalibrationError("this is not a regular file")  # pyarrow would read all of a folder
        file = pq.ParquetFile(source)
        if file.metadata.num_rows > _MOST_ROWS:  # a few bytes of a file may stand for gigabytes
            raise NotACalibrationError(f"this file has more than {_MOST_ROWS:,} rows, as no calibration has")
        table = file.read()
        content = json.loads((table.schema.metadata or {})[_KEY])
        quantities = {name: _quantity(name, about, table) for name, about in content["quantities"].items()}
        record = content["record"]
        checks = tuple(Checked(**check) for check in content.get("checks", []))
        counted = {name: _by_run(runs) for name, runs in content.get("counted", {}).items()}
    except NotACalibrationError:
        raise
    except FileNotFoundError:
        raise NotACalibrationError("there is no such file") from None
    except (KeyError, TypeError, ValueError, OSError, pa.ArrowException):
        raise NotACalibrationError("this file was not written by `simbudget calibrate`") from None
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
        name, str(about["written"]), str(about["family"]), posterior, LearntFrom(**about["evidence"])
    )
