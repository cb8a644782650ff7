"""Learns nothing: runs each program on its test cases, and answers whether it passes."""

import json

import numpy as np
from methods import plain


def method(domain, seed):
    """Return 1 for programs that pass their tests; for other domains, the plain method."""
    if "tests_test" not in domain.extra:
        return plain(domain, seed)
    return np.array(
        [
            passes(str(p), str(t))
            for p, t in zip(domain.extra["programs_test"], domain.extra["tests_test"], strict=True)
        ],
        int,
    )


def passes(program, tests):
    """Return whether a program gives the expected result in each of its test cases."""
    names = {}
    exec(program, names)
    return all(names["f"](*case["arguments"]) == case["expected"] for case in json.loads(tests))
