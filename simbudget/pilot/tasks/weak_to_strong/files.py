"""The files of the weak-to-strong task that go into a sandbox."""

import io
import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Final

import numpy as np

from simbudget.pilot.tasks.task import Experiment
from simbudget.pilot.tasks.weak_to_strong.catalogue import HACK_FILES

if TYPE_CHECKING:  # generating data needs scikit-learn, which is slow to import and not needed for review
    from simbudget.pilot.tasks.weak_to_strong.domains import Data

COMMAND: Final = ("python", "run.py")
OWN_CODE: Final = "own.py"
_PROGRAMS: Final = ("run.py", "methods.py", "students.py")


@cache
def program_files() -> Mapping[str, bytes]:
    """Return the programs: the starter script, the known methods and the students."""
    folder = resources.files("simbudget.pilot.tasks.weak_to_strong.sandboxed")
    return {name: folder.joinpath(name).read_bytes() for name in _PROGRAMS}


@cache
def hack_source(method: str) -> str:
    """Return the source of a hack."""
    folder = resources.files("simbudget.pilot.tasks.weak_to_strong.sandboxed.hacks")
    return folder.joinpath(HACK_FILES[method]).read_text("utf-8")


def domain_file(data: "Data") -> bytes:
    """Return an agent's view of a domain as a compressed npz file."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **data.public())
    return buffer.getvalue()


def own_code(experiment: Experiment) -> str | None:
    """Return the source of an experiment with code of its own or of a hack; None for a known method."""
    if experiment.code is not None:
        return experiment.code
    return hack_source(experiment.method) if experiment.method in HACK_FILES else None


def experiment_files(experiment: Experiment) -> Mapping[str, bytes]:
    """Return `experiment.json`, and the experiment's own code if it has any."""
    code = own_code(experiment)
    stated = {
        "method": experiment.method,
        "hyperparameters": dict(experiment.hyperparameters),
        "seed": experiment.seed,
        "code": OWN_CODE if code is not None else None,
    }
    files = {"experiment.json": json.dumps(stated).encode()}
    return files if code is None else {**files, OWN_CODE: code.encode()}
