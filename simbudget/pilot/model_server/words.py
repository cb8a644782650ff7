"""Filler text beside the researcher's moves, of the length of a model's reasoning."""

from typing import Final

from simbudget.pilot.draws import uniform

_SENTENCES: Final = (
    "The weak labels are noisy where the classes lie close to each other, so I look at those first.",
    "A single seed says little here: the spread between seeds is as large as most differences.",
    "If the student only copies the teacher, the score stays at zero, whatever the training loss says.",
    "The examples on which the teacher is sure are right more often, but they are also the easy ones.",
    "I compare with the plain method under the same seed before I believe an improvement.",
    "What the others found agrees with this only in part; their best setting is not far from mine.",
    "More capacity did not help by itself, since the student then fits the teacher's mistakes as well.",
    "The next run changes one thing at a time, so that its effect can be told from chance.",
    "I keep the settings that worked, and note those that did not, so that I do not come back to them.",
    "It would be good to know how much of this is particular to these data, but that is for later.",
    "The run is short, so I can afford another one if this does not show what I expect.",
    "First I check that the answer has the right shape, since a malformed one costs a submission.",
)


def say(thought: str, tokens: int, *stream: object) -> str:
    """Return a thought followed by filler of about `tokens` tokens in all; at least the whole thought."""
    wanted, parts, length = 4 * tokens, [thought], len(thought)
    place = int(uniform("words", *stream) * len(_SENTENCES))
    while length < wanted:
        sentence = _SENTENCES[place % len(_SENTENCES)]
        parts.append(sentence[: max(8, wanted - length - 1)] if wanted - length < len(sentence) else sentence)
        length += len(parts[-1]) + 1
        place += 1
    return " ".join(parts)
