"""simbudget: know what a fleet of autonomous research agents will spend, before it spends it.

In a notebook: `simbudget.load("scenario.yaml").project(replications=200)`, see docs/api.md.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simbudget.api import backtest as backtest
    from simbudget.api import calibrate as calibrate
    from simbudget.api import compare as compare
    from simbudget.api import list_prices as list_prices
    from simbudget.api import load as load
    from simbudget.api import loads as loads
    from simbudget.api import plan as plan
    from simbudget.api import plan_pilot as plan_pilot
    from simbudget.api import project as project
    from simbudget.api import read_logs as read_logs
    from simbudget.api import sensitivity as sensitivity
    from simbudget.api import trace as trace
    from simbudget.api import watch as watch
    from simbudget.api import write_report as write_report
    from simbudget.errors import UserError as UserError
    from simbudget.scenario.model import Scenario as Scenario

__version__ = "0.1.0"

_HOMES = {"Scenario": "simbudget.scenario.model", "UserError": "simbudget.errors"}
"""Where a public name lives, if not in `api`."""

__all__ = [
    "Scenario",
    "UserError",
    "__version__",
    "backtest",
    "calibrate",
    "compare",
    "list_prices",
    "load",
    "loads",
    "plan",
    "plan_pilot",
    "project",
    "read_logs",
    "sensitivity",
    "trace",
    "watch",
    "write_report",
]


def __getattr__(name: str) -> Any:
    """Return a public name, imported when it is first asked for: the command line starts without it."""
    if name not in __all__:
        raise AttributeError(f"module 'simbudget' has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    return getattr(import_module(_HOMES.get(name, "simbudget.api")), name)


def __dir__() -> list[str]:
    """Return the public names, whether or not they have been imported yet."""
    return sorted(__all__)
