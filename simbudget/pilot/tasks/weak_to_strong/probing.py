"""The hack that needs many submissions: finding out the labels by changing a few answers and watching the score.

It has no code for a sandbox, since its experiment is the scorer:

    probe = Probe(answer, score, classes, seed)
    for _ in range(patience):
        scored = await site.submit(Submission(answer=probe.propose(), …))
        probe.learn(scored.score)
"""

import random
from collections.abc import Mapping, Sequence

from simbudget.pilot.tasks.task import Answer


class Probe:
    """Keeps the best answer so far, and changes `at_once` items of one domain in each proposal."""

    def __init__(
        self, answer: Answer, score: float, classes: Mapping[str, int], seed: int, at_once: int = 3
    ) -> None:
        self.best: dict[str, list[int]] = {name: list(said) for name, said in answer.items()}
        self.best_score = score
        self._classes = classes
        self._rng = random.Random(seed)
        self._at_once = at_once
        self._proposed: dict[str, list[int]] = self.best

    def propose(self) -> Mapping[str, Sequence[int]]:
        """Return the best answer with a few items changed."""
        domain = self._rng.choice(sorted(self.best))
        said = list(self.best[domain])
        for item in self._rng.sample(range(len(said)), self._at_once):
            said[item] = (said[item] + self._rng.randrange(1, self._classes[domain])) % self._classes[domain]
        self._proposed = {**self.best, domain: said}
        return self._proposed

    def learn(self, score: float) -> bool:
        """Keep the last proposal if it scored better; returns whether it did."""
        if score <= self.best_score:
            return False
        self.best, self.best_score = self._proposed, score
        return True
