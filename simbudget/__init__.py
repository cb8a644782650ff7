"""simbudget: know what a fleet of autonomous research agents will spend, before it spends it.

In a notebook: `simbudget.load("scenario.yaml").project(replications=200)`, see docs/api.md.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simbudget import forecast as forecast
    from simbudget import guard as guard
    from simbudget.api import backtest as backtest
    from simbudget.api import calibrate as calibrate
    from simbudget.api import check as check
    from simbudget.api import compare as compare
    from simbudget.api import dump as dump
    from simbudget.api import evidence as evidence
    from simbudget.api import import_logs as import_logs
    from simbudget.api import init as init
    from simbudget.api import load as load
    from simbudget.api import loads as loads
    from simbudget.api import plan as plan
    from simbudget.api import plan_pilot as plan_pilot
    from simbudget.api import project as project
    from simbudget.api import read_logs as read_logs
    from simbudget.api import report_markdown as report_markdown
    from simbudget.api import review as review
    from simbudget.api import schema as schema
    from simbudget.api import sensitivity as sensitivity
    from simbudget.api import trace as trace
    from simbudget.api import usage as usage
    from simbudget.api import watch as watch
    from simbudget.api import write_report as write_report
    from simbudget.errors import UserError as UserError
    from simbudget.forecast.forecast import forecast_like as forecast_like
    from simbudget.pricing.listing import list_gpu_prices as list_gpu_prices
    from simbudget.pricing.listing import list_prices as list_prices
    from simbudget.scenario.language.trust import trust as trust
    from simbudget.scenario.scenario import Api as Api
    from simbudget.scenario.scenario import Context as Context
    from simbudget.scenario.scenario import Crashes as Crashes
    from simbudget.scenario.scenario import Delegate as Delegate
    from simbudget.scenario.scenario import Experiment as Experiment
    from simbudget.scenario.scenario import Forum as Forum
    from simbudget.scenario.scenario import Gate as Gate
    from simbudget.scenario.scenario import Gpus as Gpus
    from simbudget.scenario.scenario import Group as Group
    from simbudget.scenario.scenario import ModelPrices as ModelPrices
    from simbudget.scenario.scenario import ModelSpeed as ModelSpeed
    from simbudget.scenario.scenario import Prices as Prices
    from simbudget.scenario.scenario import Research as Research
    from simbudget.scenario.scenario import Review as Review
    from simbudget.scenario.scenario import Sandbox as Sandbox
    from simbudget.scenario.scenario import Scenario as Scenario
    from simbudget.scenario.scenario import Score as Score
    from simbudget.scenario.scenario import Scorer as Scorer
    from simbudget.scenario.scenario import Share as Share
    from simbudget.scenario.scenario import Staff as Staff
    from simbudget.scenario.scenario import Start as Start
    from simbudget.scenario.scenario import Stop as Stop
    from simbudget.scenario.scenario import Tasks as Tasks
    from simbudget.scenario.scenario import Think as Think
    from simbudget.scenario.scenario import Turn as Turn

__version__ = "0.1.0"

_BLOCKS = (
    "Api",
    "Context",
    "Crashes",
    "Delegate",
    "Experiment",
    "Forum",
    "Gate",
    "Gpus",
    "Group",
    "ModelPrices",
    "ModelSpeed",
    "Prices",
    "Research",
    "Review",
    "Sandbox",
    "Scenario",
    "Score",
    "Scorer",
    "Share",
    "Staff",
    "Start",
    "Stop",
    "Tasks",
    "Think",
    "Turn",
)
"""The blocks that a scenario is made of in code."""

_HOMES = {
    "UserError": "simbudget.errors",
    "forecast_like": "simbudget.forecast.forecast",
    "list_gpu_prices": "simbudget.pricing.listing",
    "list_prices": "simbudget.pricing.listing",
    "trust": "simbudget.scenario.language.trust",
    **dict.fromkeys(_BLOCKS, "simbudget.scenario.scenario"),
}
"""Modules of the public names that do not live in `api`."""

_SUBPACKAGES = ("forecast", "guard")
"""Public subpackages; `forecast` makes itself callable."""

__all__ = [  # noqa: PLE0604  the linter does not look inside _BLOCKS
    *_BLOCKS,
    "UserError",
    "__version__",
    "backtest",
    "trust",
    "schema",
    "review",
    "report_markdown",
    "list_gpu_prices",
    "init",
    "evidence",
    "check",
    "calibrate",
    "compare",
    "dump",
    "forecast",
    "forecast_like",
    "guard",
    "import_logs",
    "list_prices",
    "load",
    "loads",
    "plan",
    "plan_pilot",
    "project",
    "read_logs",
    "sensitivity",
    "trace",
    "usage",
    "watch",
    "write_report",
]


def __getattr__(name: str) -> Any:
    """Import a public name on first access, so that the command line starts without all of them."""
    if name not in __all__:
        raise AttributeError(f"module 'simbudget' has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    if name in _SUBPACKAGES:
        return import_module(f"simbudget.{name}")
    return getattr(import_module(_HOMES.get(name, "simbudget.api")), name)


def __dir__() -> list[str]:
    """Return the public names, whether or not they have been imported yet."""
    return sorted(__all__)
