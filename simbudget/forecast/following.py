"""Following: a log that grows is looked at again and again, until the run's planned end."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from simbudget.errors import UserError
from simbudget.forecast.outlook import Outlook
from simbudget.forecast.reference_runs import Progress
from simbudget.forecast.run_state import run_state_of
from simbudget.forecast.watch import Watching, watch
from simbudget.ledger.readers import read_logs
from simbudget.scenario.loading import LoadedScenario


@dataclass(frozen=True)
class Look:
    """What is looked at, and how."""

    loaded: LoadedScenario
    logs: Sequence[Path]
    elapsed_s: float | None
    how: Watching

    def now(self, progress: Progress = lambda done, total: None) -> Outlook:
        """Return the outlook by what the logs say now; UserError if they cannot be read or say nothing yet."""
        gpus = self.loaded.scenario.gpus
        state = run_state_of(read_logs(self.logs), self.elapsed_s, gpus.bills.use)
        return watch(self.loaded, state, self.how, progress)

    def state(self) -> tuple[tuple[str, int, int], ...]:
        """Return what changes when a log grows."""
        return state_of(self.logs)


def state_of(logs: Sequence[Path]) -> tuple[tuple[str, int, int], ...]:
    """Return what changes when a log grows: sizes and times of all files."""
    files = [file for log in logs for file in ([log] if log.is_file() else sorted(log.rglob("*")))]
    beside = [file.with_name(file.name + "-wal") for file in files]  # where SQLite writes first
    stats = [(str(file), file.stat()) for file in (*files, *beside) if file.is_file()]
    return tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)


def looks(look: Look, interval_s: float, sleep: Callable[[float], None] = time.sleep) -> Iterator[Outlook]:
    """Yield an outlook whenever a log has grown, at most one an interval, until the planned end is past.

    What cannot be read at one moment, since it is being written, is read at the next; only the first look must
    succeed.

    Raises:
        UserError: the first look failed.
    """
    before, outlook = look.state(), look.now()
    yield outlook
    while outlook.elapsed_hours < outlook.ends_hours:
        sleep(interval_s)
        state = look.state()
        if state == before:
            continue
        try:
            outlook = look.now()
        except UserError:
            continue
        before = state
        yield outlook
