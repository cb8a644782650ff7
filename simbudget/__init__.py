"""simbudget: know what a fleet of autonomous research agents will spend, before it spends it.

In a notebook: `simbudget.load("scenario.yaml").project(replications=200)`, see docs/api.md.
"""

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from simbudget.notebook import load as load
    from simbudget.notebook import loads as loads

__version__ = "0.1.0"
__all__ = ["__version__", "load", "loads"]

_OF_NOTEBOOK: Final = ("load", "loads")


def __getattr__(name: str) -> Any:
    """Return what notebooks use, imported when it is first asked for: the command line starts without it."""
    if name not in _OF_NOTEBOOK:
        raise AttributeError(f"module 'simbudget' has no attribute {name!r}")
    from simbudget import notebook  # noqa: PLC0415

    return getattr(notebook, name)
