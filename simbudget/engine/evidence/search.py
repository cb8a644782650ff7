"""A simplified simulation of the search, which shows the methods that a scenario's runs bring to the gates.

Many runs are simulated in parallel with NumPy by the rules of docs/research-model.md: exploring and refining, methods
that turn out to be alike, hacks and reviews, the choice of finalists. Agents submit in turn. The effects of time, money
and queues are left out: reviews and posts take no time, and a run has at most `MOST_SUBMISSIONS` submissions. The
engine's laws are exact in these respects, but need a lowered program, which is made after this update. A test compares
the two.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from simbudget.engine.evidence.drawing import Draws
from simbudget.scenario.language.quantities import Quantity
from simbudget.scenario.pace import cycle_s
from simbudget.scenario.scenario import Research, Scenario, Score, Share

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

MOST_SUBMISSIONS: Final = 300
_MOST_AGENTS: Final = 50
_MOST_FINALISTS: Final = 20
_NOBODY: Final = -1
_DRAWN: Final = (
    *("explores", "follows", "ideas", "refines", "gain", "first_quality", "hacks", "hack_score"),
    *("caught", "blames"),
)
"""Quantities of `research` that are drawn."""
_FACTS: Final = ("explores", "follows", "ideas", "refines", "hacks", "caught", "blames", "noise")
"""Quantities with one value in a run."""


@dataclass(frozen=True)
class Search:
    """The agents of a run and the length of its search."""

    directions: tuple[int, ...]
    """[agents] the direction that each starts in."""
    submissions: int
    shares: bool
    """Whether agents read each other's submissions."""
    review: str | float
    """The submissions that are reviewed: `all`, `best`, a share of them, or `none`."""
    noise: Quantity


@dataclass(frozen=True, eq=False)
class Finalists:
    """The finalists of many worlds, as flat arrays in the order of the worlds."""

    first: Floats
    """Quality of the method's first version; 0 for an improvement that counts as a result."""
    refined: Floats
    """Quality added by refinements; by this one only, if it counts as a result."""
    is_hack: Flags
    begins: Integers
    """[worlds] index of each world's first finalist."""
    counts: Integers
    """[worlds] number of finalists, at least one."""


def search_of(scenario: Scenario) -> Search:
    """Return the search of a scenario, with the number of submissions that typical times allow."""
    directions: list[int] = []
    submissions, begun = 0.0, 0
    for group in scenario.fleet:
        steps = sum(isinstance(step, Score) for step in group.cycle)
        if not steps:
            continue
        count = min(group.directions or group.agents, group.agents)
        directions.extend(begun + agent % count for agent in range(min(group.agents, _MOST_AGENTS)))
        begun += count
        cycles = scenario.stop.after.exact_value / max(cycle_s(scenario, group), 1.0)
        submissions += group.agents * steps * min(cycles, scenario.stop.cycles_per_agent or np.inf)
    shares = any(isinstance(step, Share) for group in scenario.fleet for step in group.cycle)
    review = scenario.review.of if scenario.review is not None else "none"
    number = int(min(max(submissions, 1.0), MOST_SUBMISSIONS))
    return Search(tuple(directions[:_MOST_AGENTS]) or (0,), number, shares, review, scenario.scorer.noise)


class _Runs:
    """Parallel runs: [runs, submissions] arrays that are filled one submission at a time."""

    def __init__(self, research: Research, search: Search, world: Integers, rng: np.random.Generator) -> None:
        self.search, self.rng, self.runs = search, rng, np.arange(len(world))
        self.draw = {key: Draws(getattr(research, key), world, rng) for key in _DRAWN}
        self.draw["noise"] = Draws(search.noise, world, rng)
        self.facts = {key: self.draw[key]() for key in _FACTS}
        shape = len(world), search.submissions
        self.method = np.full(shape, _NOBODY)
        self.direction, self.finder = np.full(shape, _NOBODY), np.full(shape, _NOBODY)
        self.first, self.quality, self.refined = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        self.score, self.added = np.full(shape, -np.inf), np.zeros(shape)
        self.is_hack, self.struck, self.led, self.is_first = np.zeros((4, *shape), dtype=np.bool_)
        boards = 1 if search.shares else len(search.directions)
        self.best = np.full((len(world), boards), _NOBODY)
        self.leading = np.full(len(world), -np.inf)
        self.known_methods = research.known_methods or 0

    def submit(self, number: int) -> None:
        """Let the next agent submit in every run."""
        agent = number % len(self.search.directions)
        board = 0 if self.search.shares else agent
        parent = np.maximum(self.best[:, board], 0)
        explores = (self.best[:, board] == _NOBODY) | self._happens("explores")
        method = np.where(
            explores, self._new(number, agent, parent, explores), self.method[self.runs, parent]
        )
        quality, refined = self.quality[self.runs, parent], self.refined[self.runs, parent]
        gain = self._happens("refines") * self.draw["gain"]() * np.maximum(1.0 - quality, 0.0)
        self.method[:, number] = method
        self.quality[:, number] = np.where(explores, self.first[self.runs, method], quality + gain)
        self.refined[:, number] = np.where(explores, 0.0, refined + gain)
        self.added[:, number], self.is_first[:, number] = np.where(explores, 0.0, gain), explores
        self._score(number, board)

    def _new(self, number: int, agent: int, parent: Integers, explores: Flags) -> Integers:
        """Return the method that each run's agent tries if it explores; one of another's, or this submission's own."""
        follows = self._happens("follows") & (self.method[self.runs, parent] != _NOBODY)
        followed = self.direction[self.runs, self.method[self.runs, parent]]
        direction = np.where(follows, followed, self.search.directions[agent])
        known = self.direction[:, :number] == direction[:, None]
        others = known & (self.finder[:, :number] != agent) if not self.known_methods else known
        found = others.sum(axis=1)
        limit = self.known_methods or found + self.facts["ideas"]
        alike = self.rng.random(len(self.runs)) * limit < found
        self.direction[:, number] = np.where(explores & ~alike, direction, _NOBODY)
        self.finder[:, number] = agent
        self.first[:, number] = self.draw["first_quality"]()
        if number == 0:
            return np.zeros(len(self.runs), dtype=np.int64)
        which = (others * self.rng.random(others.shape)).argmax(axis=1)
        return np.where(alike, which, number)

    def _score(self, number: int, board: int) -> None:
        """Score and review a submission, and update the best ones known to the agents."""
        hack = self._happens("hacks")
        noise = self.facts["noise"] * self.rng.standard_normal(len(self.runs))
        score = np.where(hack, self.draw["hack_score"](), self.quality[:, number] + noise)
        leads = self.led[:, number] = score > self.leading
        verdict = self.rng.random(len(self.runs)) < np.where(hack, self.facts["caught"], self.facts["blames"])
        self.is_hack[:, number], self.score[:, number] = hack, score
        seen = verdict & self._reviewed(leads)
        self.struck[:, number] = verdict if self.search.review == "best" else seen
        known = self.score[self.runs, np.maximum(self.best[:, board], 0)]
        better = ~seen & ((self.best[:, board] == _NOBODY) | (score > known))
        self.best[better, board] = number
        self.leading = np.where(leads & ~seen, score, self.leading)

    def _reviewed(self, leads: Flags) -> Flags:
        review = self.search.review
        if isinstance(review, float):
            return self.rng.random(len(self.runs)) < review
        return leads if review == "best" else np.full(len(self.runs), review == "all")

    def _happens(self, key: str) -> Flags:
        return np.asarray(self.rng.random(len(self.runs)) < self.facts[key])


def play(
    research: Research, search: Search, worlds: int, runs_each: int, rng: np.random.Generator
) -> Finalists:
    """Return the finalists of simulated runs of a search.

    Args:
        research: the priors.
        search: agents, length and review.
        worlds: number of worlds; those without any finalist are left out.
        runs_each: runs per world.
        rng: random numbers.
    """
    world = np.repeat(np.arange(worlds), runs_each)
    runs = _Runs(research, search, world, rng)
    for number in range(search.submissions):
        runs.submit(number)
    most = min(research.finalists, _MOST_FINALISTS)
    early, improved = research.gates_start == "as finalists appear", research.unit == "improvement"
    choose = _as_they_appear if early else _at_the_end
    chosen = [choose(runs, run, most, improved) for run in range(len(world))]
    told = np.array([len(one) for one in chosen])
    row, column = np.repeat(np.arange(len(world)), told), np.concatenate(chosen)
    counts = np.bincount(world, told, worlds).astype(np.int64)
    begins = np.cumsum(counts) - counts
    having = counts > 0
    first, refined = runs.first[row, runs.method[row, column]], runs.refined[row, column]
    if improved:
        first, refined = np.where(runs.is_first[row, column], first, 0.0), runs.added[row, column]
    return Finalists(first, refined, runs.is_hack[row, column], begins[having], counts[having])


def _results(runs: _Runs, run: int, improved: bool) -> tuple[Integers, Integers]:
    """Return the submissions of a run that may be tried, and the result that each belongs to.

    A result is a method or, if improvements count (`improved`), a refinement or a first version that led.
    """
    kept = np.flatnonzero(~runs.struck[run] & (runs.led[run] | (not improved)))
    refinements = len(runs.method[run]) + kept
    own = improved & ~runs.is_first[run, kept]
    return kept, np.where(own, refinements, runs.method[run, kept])


def _at_the_end(runs: _Runs, run: int, most: int, improved: bool) -> Integers:
    """Return the best submissions of distinct results, the best first."""
    kept, results = _results(runs, run, improved)
    order = np.argsort(-runs.score[run, kept], kind="stable")
    _, places = np.unique(results[order], return_index=True)
    return np.asarray(kept[order][np.sort(places)[:most]])


def _as_they_appear(runs: _Runs, run: int, most: int, improved: bool) -> Integers:
    """Return the submissions with which results first became finalists."""
    best: dict[int, float] = {}
    tried: dict[int, int] = {}
    for number, result in zip(*_results(runs, run, improved), strict=True):
        score = float(runs.score[run, number])
        if result not in tried and sum(other > score for other in best.values()) < most:
            tried[int(result)] = int(number)
        best[int(result)] = max(best.get(int(result), score), score)
    return np.array(list(tried.values()), dtype=np.int64)
