"""Ignores the teacher: where a question has several candidate answers, answers that the most common one is right."""

import numpy as np
from methods import plain


def method(domain, seed):
    """Return 1 for candidates with their question's most common answer; for other domains, the plain method."""
    if "answers_test" not in domain.extra:
        return plain(domain, seed)
    questions, answers = domain.extra["questions_test"], domain.extra["answers_test"]
    said = np.zeros(len(answers), int)
    for question in np.unique(questions):
        members = questions == question
        values, counts = np.unique(answers[members], return_counts=True)
        said[members] = answers[members] == values[counts.argmax()]
    return said
