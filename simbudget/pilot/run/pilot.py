"""A pilot from options to summary; called by the command line."""

import asyncio
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from simbudget import interrupts
from simbudget.errors import Problem, UserError
from simbudget.pilot.run.folder import Folder, Keys, new_keys
from simbudget.pilot.run.plan import Options, Plan, make_plan
from simbudget.pilot.run.progress import Progress
from simbudget.pilot.run.runner import Runner
from simbudget.pilot.run.summary import summarise


@dataclass(frozen=True)
class Prepared:
    """A pilot that is ready to run: everything has been checked, nothing has been started or spent."""

    plan: Plan
    folder: Folder
    keys: Keys


def prepare(options: Options) -> Prepared:
    """Prepare a pilot, new or resumed.

    Raises:
        UserError: the pilot cannot be run; lists every reason.
    """
    folder = Folder(options.out)
    if options.resume:
        stated, keys = folder.read()
        options = _resumed(options, stated)
        return Prepared(make_plan(options, keys.task_secret), folder, keys)
    keys = new_keys(0)
    plan = make_plan(options, keys.task_secret)
    keys = replace(new_keys(len(plan.agents)), task_secret=keys.task_secret)
    folder.make(options, plan.scenario_text, keys)
    for name, content in plan.task.public_files().items():
        path = folder.public / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return Prepared(plan, folder, keys)


def run_pilot(prepared: Prepared, show: Callable[[Progress], None]) -> dict[str, Any]:
    """Run a pilot and return its summary; Ctrl-C and SIGTERM end it cleanly, a second one at once.

    Args:
        prepared: the pilot.
        show: called a few times a second with the progress.

    Raises:
        UserError: a process does not start, or an agent keeps failing.
    """
    with prepared.folder.store() as store:
        used_s = float(store.recall("used wall seconds") or 0.0)
    reason = asyncio.run(_run(prepared, show))
    with prepared.folder.store() as store:
        summary = {**summarise(store, prepared), "ended_because": reason}
    lasts_s = prepared.plan.options.lasts_s
    if used_s >= lasts_s:
        told = f"--for is the total duration, and its {lasts_s:g} s were used up when the pilot was resumed"
        summary["notes"] = [*summary["notes"], told]
    return summary


async def _run(prepared: Prepared, show: Callable[[Progress], None]) -> str:
    runner = Runner(prepared.plan, prepared.folder, prepared.keys, show)

    def stop() -> None:
        """End the pilot cleanly, or, the second time, at once: its processes end with it, and it can be resumed."""
        if runner.stopping.is_set():
            interrupts.leave()
        runner.stopping.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    return await runner.run()


def _resumed(options: Options, stated: dict[str, Any]) -> Options:
    """Return the options of a resumed pilot: duration and budget may change, everything else is kept."""
    text = options.scenario.read_text("utf-8") if options.scenario.exists() else ""
    if text != stated["scenario_text"]:
        raise UserError(
            Problem(
                f"{options.scenario} is not the scenario that the pilot was started with",
                remedy=f"give {options.out / 'scenario.yaml'}, or start a new pilot with another --out",
            )
        )
    kept = (
        "agents",
        "live",
        "task",
        "time_scale",
        "slots",
        "seed",
        "luck",
        "hack_rate",
        "experiment_timeout_s",
    )
    return replace(options, **{key: stated[key] for key in kept})
