"""The list of tasks that the agents of a pilot work through, in the ledger's file, where every process finds it.

Tasks and attempts are handed out as the scenario language says: of the open tasks that no agent works on, the one with
the fewest attempts begun, then the one with the lowest number. An attempt is written down when it begins, so that one
whose agent is killed is used up and never given out twice. The table `task_attempts` says which attempt at which task
each cycle of an agent was.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from simbudget.ledger.transaction import transaction
from simbudget.scenario.scenario import Tasks

_PATIENCE_S: Final = 60.0
"""How long a process waits for others that write to the same file; a change takes about a millisecond."""
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS tasks (
    task INTEGER PRIMARY KEY, begun INTEGER NOT NULL DEFAULT 0, solved INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS tasks_in_turn ON tasks (solved, begun, task);
CREATE TABLE IF NOT EXISTS task_attempts (
    task INTEGER NOT NULL, attempt INTEGER NOT NULL, agent INTEGER NOT NULL, cycle INTEGER NOT NULL,
    began_s REAL NOT NULL, ended_s REAL, solved INTEGER NOT NULL DEFAULT 0, outcome TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (task, attempt)
);
CREATE INDEX IF NOT EXISTS task_attempts_under_way ON task_attempts (task) WHERE ended_s IS NULL;
"""


@dataclass(frozen=True)
class TaskAttempt:
    """An attempt at a task; both numbers count from 0."""

    task: int
    attempt: int


@dataclass(frozen=True)
class TaskCounts:
    """What has come of a list of tasks so far."""

    count: int
    attempts: int
    """Attempts begun."""
    solved: int


class TaskList:
    """A connection to the list of one pilot."""

    def __init__(self, ledger: Path, terms: Tasks) -> None:
        """Open the list, creating it if it is missing.

        Args:
            ledger: the pilot's ledger, whose file holds the list.
            terms: number of tasks and attempts, and when a task is closed.
        """
        self.terms = terms
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(
            ledger, timeout=_PATIENCE_S, isolation_level=None, check_same_thread=False
        )
        self._connection.executescript(_SCHEMA)
        with self._change():
            (known,) = self._connection.execute("SELECT count(*) FROM tasks").fetchone()
            self._connection.executemany(
                "INSERT INTO tasks (task) VALUES (?)", ((task,) for task in range(known, terms.count))
            )

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def take(self, agent: int, cycle: int, now_s: float) -> TaskAttempt | Literal["wait", "done"]:
        """Begin the next attempt.

        Args:
            agent: the agent that takes it.
            cycle: the agent's cycle, which is the attempt.
            now_s: seconds of the run.

        Returns:
            The attempt; `wait` if none can be begun now but one may later, `done` if none ever will.
        """
        with self._change():
            found = self._connection.execute(self._next_task, [self.terms.attempts]).fetchone()
            if found is None:
                return "wait" if self._may_become_free() else "done"
            task, begun = found
            self._connection.execute("UPDATE tasks SET begun = begun + 1 WHERE task = ?", [task])
            self._connection.execute(
                "INSERT INTO task_attempts (task, attempt, agent, cycle, began_s) VALUES (?, ?, ?, ?, ?)",
                [task, begun, agent, cycle, now_s],
            )
        return TaskAttempt(task, begun)

    @property
    def _next_task(self) -> str:
        if self.terms.until == "all attempts":
            return "SELECT task, begun FROM tasks WHERE begun < ? ORDER BY begun, task LIMIT 1"
        return (
            "SELECT task, begun FROM tasks WHERE solved = 0 AND begun < ? AND NOT EXISTS"
            " (SELECT 1 FROM task_attempts AS a WHERE a.task = tasks.task AND a.ended_s IS NULL)"
            " ORDER BY begun, task LIMIT 1"
        )

    def _may_become_free(self) -> bool:
        """Return whether an attempt is under way after which its task can be taken again."""
        if self.terms.until == "all attempts":
            return False
        query = (
            "SELECT 1 FROM task_attempts AS a JOIN tasks AS t ON t.task = a.task"
            " WHERE a.ended_s IS NULL AND t.solved = 0 AND t.begun < ? LIMIT 1"
        )
        return self._connection.execute(query, [self.terms.attempts]).fetchone() is not None

    def end(self, attempt: TaskAttempt, now_s: float, is_solved: bool, outcome: str = "") -> None:
        """Record the end of an attempt.

        Args:
            attempt: the attempt.
            now_s: seconds of the run.
            is_solved: whether it solved the task.
            outcome: why it ended before its last step; empty if it did not.
        """
        with self._change():
            self._connection.execute(
                "UPDATE task_attempts SET ended_s = ?, solved = ?, outcome = ?"
                " WHERE task = ? AND attempt = ? AND ended_s IS NULL",
                [now_s, is_solved, outcome, attempt.task, attempt.attempt],
            )
            if is_solved:
                self._connection.execute("UPDATE tasks SET solved = 1 WHERE task = ?", [attempt.task])

    def abandon(self, agent: int, now_s: float) -> int:
        """End what an agent that died was at, unsolved; return the number of such attempts."""
        with self._change():
            changed = self._connection.execute(
                "UPDATE task_attempts SET ended_s = ?, outcome = 'crash' WHERE agent = ? AND ended_s IS NULL",
                [now_s, agent],
            )
            return changed.rowcount

    def counts(self) -> TaskCounts:
        """Return the number of tasks, of attempts begun and of solved tasks."""
        count, attempts, solved = self._connection.execute(
            "SELECT count(*), total(begun), total(solved) FROM tasks"
        ).fetchone()
        return TaskCounts(count, int(attempts), int(solved))

    @contextmanager
    def _change(self) -> Iterator[None]:
        """Lock out other writers until the end of the block, which is rolled back if it raises."""
        with self._lock, transaction(self._connection):
            yield
