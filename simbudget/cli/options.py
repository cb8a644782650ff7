"""Shared by several commands: options, and the display of results."""

import datetime
import json
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import click

from simbudget.bundled import scenario_path
from simbudget.errors import visible

if TYPE_CHECKING:
    from simbudget.results import Result

LIMIT_NOT_MET: Final = 1
"""The exit status of a command whose result breaks a limit of the scenario."""


class ScenarioPath(click.Path):
    """A path to a scenario, or the name of a bundled one such as `aar-weak-to-strong`."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path of the scenario file."""
        return scenario_path(Path(str(super().convert(value, param, ctx))))


ON_HELP: Final = "Run on a Dask cluster: local:4, or a scheduler's tcp://host:8786."


def say(text: str, err: bool = False) -> None:
    """Print text that may contain names from elsewhere, with control characters made visible."""
    click.echo(visible(text), err=err)


def money(_: click.Context, __: click.Parameter, text: str | None) -> float | None:
    """Parse an amount such as `$20,000` or `20000` into US dollars."""
    if text is None:
        return None
    from simbudget.scenario.language.amounts import Amount  # noqa: PLC0415
    from simbudget.units import Dimension  # noqa: PLC0415

    try:
        amount = Amount(Dimension.MONEY, exact=True).parse(text if "$" in text else f"${text}")
    except ValueError:
        raise click.BadParameter(f"{text!r} is not an amount of money; write for example $20,000") from None
    value = amount.distribution.mean()
    if value < 0:
        raise click.BadParameter(f"{text!r} is below zero; write for example $20,000")
    return value


def amount(dimension: str, *, may_be_zero: bool = False, at_most: float = math.inf) -> Any:
    """Return a callback that parses an amount such as `90 min` or `20%` into seconds or a share.

    Args:
        dimension: the name of a `units.Dimension`, which is slow to import.
        may_be_zero: whether 0 is allowed.
        at_most: the largest amount that is allowed.
    """

    def parsed(_: click.Context, __: click.Parameter, text: str | None) -> float | None:
        from simbudget.scenario.language.amounts import Amount  # noqa: PLC0415
        from simbudget.units import Dimension  # noqa: PLC0415

        if text is None:
            return None
        try:
            value = Amount(Dimension[dimension], exact=True).parse(text).distribution.mean()
        except ValueError as error:
            raise click.BadParameter(str(error)) from None
        if value < 0 or (value == 0 and not may_be_zero):
            raise click.BadParameter(f"{text!r} is not above zero")
        if value > at_most:
            raise click.BadParameter(f"{text!r} is too much; write at most {at_most:.0%}")
        return value

    return parsed


F = TypeVar("F", bound=Callable[..., Any])


def file_argument(function: F) -> F:
    """Add the argument FILE, a scenario."""
    return click.argument("file", type=ScenarioPath())(function)


def _date(_: click.Context, __: click.Parameter, text: str | None) -> datetime.date | None:
    """Parse a date written as 2026-11-09."""
    if text is None:
        return None
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a date; write for example 2026-11-09") from None


def date_option(name: str, help_text: str) -> Callable[[F], F]:
    """Return a decorator that adds an option whose value is a date."""
    return click.option(name, callback=_date, metavar="DATE", help=help_text)


def assumption_options(function: F) -> F:
    """Add `--model` and `--on`, which fill in what logs leave out."""
    function = date_option("--on", "Date of runs whose logs have none; determines prices.")(function)
    help_text = "Model of calls whose logs name none."
    return click.option("--model", default="", metavar="NAME", help=help_text)(function)


def cores_options(function: F) -> F:
    """Add `--workers` and `--on`: where runs are simulated."""
    function = click.option("--on", metavar="CLUSTER", help=ON_HELP)(function)
    help_text = "CPU cores to use; does not change the result.  [default: all]"
    return click.option("--workers", type=click.IntRange(1), help=help_text)(function)


@dataclass(frozen=True)
class View:
    """How a command shows its result: the options `--out`, `--json` and `--quiet`."""

    out: Path | None = None
    as_json: bool = False
    quiet: bool = False

    @property
    def is_silent(self) -> bool:
        """Return whether progress is not shown."""
        return self.as_json or self.quiet

    def show(self, result: "Result") -> None:
        """Show a result; see `show`."""
        show(result, as_json=self.as_json, quiet=self.quiet, out=self.out)


def view_options(function: F) -> F:
    """Add `--out`, `--json` and `--quiet`, which the command receives as `view`."""

    @wraps(function)
    def collected(*, out: Path | None, as_json: bool, quiet: bool, **others: Any) -> Any:
        return function(view=View(out, as_json, quiet), **others)

    options = (
        click.option(
            "--out", type=click.Path(path_type=Path, file_okay=False), help="Folder for pictures and data."
        ),
        click.option("--json", "as_json", is_flag=True, help="Print only JSON."),
        click.option("--quiet", is_flag=True, help="Print only the answer."),
    )
    return cast(F, _with(collected, *options))


def sample_options(replications: int) -> Callable[[F], F]:
    """Return a decorator that adds the options for the number of runs, their randomness, workers and output.

    The command receives them as `sample`, keyword arguments of the functions of `simbudget.api`, and as `view`.

    Args:
        replications: default of `--replications`.
    """
    count = click.option(
        "--replications",
        type=click.IntRange(2),
        default=replications,
        show_default=True,
        help="Number of simulated runs.",
    )
    seed = click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Random seed.")

    def add(function: F) -> F:
        @wraps(function)
        def collected(
            *, replications: int, seed: int, workers: int | None, on: str | None, **others: Any
        ) -> Any:
            sample = {"replications": replications, "seed": seed, "workers": workers, "on": on}
            return function(sample=sample, **others)

        return cast(F, _with(view_options(collected), count, seed, cores_options))

    return add


def _with(function: Any, *options: Callable[[Any], Any]) -> Any:
    """Return a function with options, which the help lists in the given order."""
    for option in reversed(options):
        function = option(function)
    return function


def show(result: "Result", *, as_json: bool = False, quiet: bool = False, out: Path | None = None) -> None:
    """Show a result, and exit with status 1 if a limit of its scenario is not met. Every command ends with this.

    Args:
        result: the result to show.
        as_json: print only its JSON.
        quiet: print only its answer.
        out: folder to write it to.
    """
    from simbudget.report.terminal import print_result, standard_output  # noqa: PLC0415

    written = result.write(out) if out is not None else []
    if as_json:
        click.echo(json.dumps(result.as_json(), indent=2, allow_nan=False))
    else:
        print_result(result, quiet)
        if written:
            line = f"Pictures and data: {out} ({len(written)} files)"
            standard_output().print(line, highlight=False, soft_wrap=True, markup=False)
    if not result.is_met:
        sys.exit(LIMIT_NOT_MET)
