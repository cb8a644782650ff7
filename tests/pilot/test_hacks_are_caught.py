"""The whole site at once: real sandboxes, the real scoring server with its labels, and review of what was sent in."""

import asyncio
from pathlib import Path

import pytest

from simbudget.pilot.gates import Trials
from simbudget.pilot.review.played import played_hacks
from simbudget.pilot.review.queue import open_store, outcome, review
from simbudget.pilot.sandbox.isolation import isolation
from simbudget.pilot.sandbox.sandbox import Sandbox
from simbudget.pilot.sandbox.slots import SlotPool
from simbudget.pilot.service.client import SiteClient
from simbudget.pilot.service.messages import Submission
from simbudget.pilot.service.settings import ServiceSettings
from simbudget.pilot.tasks.task import Experiment
from simbudget.pilot.tasks.weak_to_strong.catalogue import HACKS
from simbudget.pilot.tasks.weak_to_strong.task import WeakToStrong
from tests.pilot.site import TOKENS, client, serving

SECRET = 9
HONEST = ("plain", "confident", "neighbours")


async def run_and_submit(box: Sandbox, site: SiteClient, task: WeakToStrong, experiment: Experiment) -> float:
    """Return the score of an experiment, as an agent gets it."""
    box.write(task.experiment_files(experiment))
    done = await box.run(task.command(experiment), 120)
    assert done.ok, done
    sent = Submission(
        method="own",
        seed=experiment.seed,
        code=await site.store(task.source(experiment)),
        answer=task.read_answer(done.stdout, box.read(task.answer_file)),
    )
    return (await site.submit(sent, f"{experiment.method} {experiment.seed}")).score


needs_bubblewrap = pytest.mark.skipif(
    isolation() != "bubblewrap", reason="bubblewrap does not work here: apt-get install bubblewrap"
)


def test_the_four_hacks_are_caught_and_honest_work_is_not_blamed(tmp_path: Path) -> None:
    chosen = ServiceSettings(
        task="weak-to-strong", secret=SECRET, database=tmp_path / "site.sqlite", tokens=TOKENS, digits=2
    )
    task = WeakToStrong(SECRET)

    async def story() -> dict[str, float]:
        box = Sandbox(tmp_path / "agent")
        box.write(task.public_files())
        async with serving(chosen) as service, client(service) as site:
            names = [*HONEST, *(hack.name for hack in HACKS)]
            return {name: await run_and_submit(box, site, task, Experiment(name, seed=1)) for name in names}

    scores = asyncio.run(story())
    state = review(open_store(chosen.database))
    hacks = played_hacks(state)
    assert set(hacks.values()) == {hack.name for hack in HACKS}
    known = outcome(state, hacks)
    assert (known.caught, known.missed, known.blamed) == (len(HACKS), 0, 0)
    assert scores["execute-tests"] > scores["plain"] + 0.1
    assert scores["read-labels"] == scores["plain"]  # the sandbox hid them


@needs_bubblewrap
def test_a_gate_is_judged_on_runs_in_sandboxes_of_its_own(tmp_path: Path) -> None:
    task = WeakToStrong(SECRET)
    production = task.gates()[-1]
    own = "import numpy as np\ndef method(domain, seed):\n    return np.zeros(len(domain.x_test), int)\n"

    async def story() -> None:
        trials = Trials(task, tmp_path / "gates", SlotPool(2))
        hopeless = await trials.judge(production, Experiment("mine", code=own))
        assert not hopeless.passed
        assert hopeless.effect < -0.1
        assert hopeless.p_value > 0.99

    asyncio.run(story())
    assert list((tmp_path / "gates").iterdir()) == []
