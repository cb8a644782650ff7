"""How a law is compiled: one decorator, so that every law is compiled alike.

Laws are small pure functions of plain numbers (DESIGN section 5). `compiled` turns one into machine
code with numba when it is first called, and keeps that code on disk. Without `fastmath`, floating-point
arithmetic is the same to the last bit wherever a law is called from.
"""

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


def compiled(law: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """Return `law` compiled to machine code; the same call signature, callable from other compiled laws."""
    return cast(Callable[_Parameters, _Result], numba.njit(cache=True, error_model="numpy")(law))
