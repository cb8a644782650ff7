"""What is still to come of a run, from its log and from others: forecasts, `watch`, backtests and their record.

The package can be called, since it has the name of what it does: `simbudget.forecast("logs", hours=2)`.
"""

import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    """A module that forecasts when it is called."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Return what is still to come; see `forecast.forecast_logs`."""
        from simbudget.forecast.forecast import forecast_logs  # noqa: PLC0415  heavy, and this is imported early

        return forecast_logs(*arguments, **options)


sys.modules[__name__].__class__ = _Callable
