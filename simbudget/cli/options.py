"""What several commands share: options, showing a result, and what is said while one waits."""

import datetime
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from simbudget.bundled import scenario_path

if TYPE_CHECKING:
    from simbudget.results import Result

LIMIT_NOT_MET: Final = 1
"""The exit status of a command whose result breaks a limit of the scenario."""


_BAR_WIDTH: Final = 24
_NAME_WIDTH: Final = 30
"""Together with the rest of its text, the line of a compilation fits into 80 columns."""


class ScenarioPath(click.Path):
    """A scenario's file, or the name of one that comes with simbudget, such as `aar-weak-to-strong`."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the file that is meant."""
        return scenario_path(Path(str(super().convert(value, param, ctx))))


ON_HELP: Final = "A Dask cluster instead: local:4, or a scheduler's tcp://host:8786."


def money(_: click.Context, __: click.Parameter, text: str | None) -> float | None:
    """Return an amount such as `$20,000` or `20000` in US dollars."""
    if text is None:
        return None
    from simbudget.scenario.amounts import Amount  # noqa: PLC0415
    from simbudget.units import Dimension  # noqa: PLC0415

    try:
        amount = Amount(Dimension.MONEY, exact=True).parse(text if "$" in text else f"${text}")
    except ValueError:
        raise click.BadParameter(f"{text!r} is no amount of money; write such as $20,000") from None
    return amount.distribution.mean()


F = TypeVar("F", bound=Callable[..., Any])


def file_argument(function: F) -> F:
    """Add the scenario FILE."""
    return click.argument("file", type=ScenarioPath())(function)


def _date(_: click.Context, __: click.Parameter, text: str | None) -> datetime.date | None:
    """Return a day written as 2026-11-09."""
    if text is None:
        return None
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a date; write such as 2026-11-09") from None


def date_option(name: str, help_text: str) -> Callable[[F], F]:
    """Return what adds an option that is a day."""
    return click.option(name, callback=_date, metavar="DATE", help=help_text)


def assumption_options(function: F) -> F:
    """Add `--model` and `--on`: what calls are taken to be whose logs do not say."""
    function = date_option("--on", "The day of runs whose logs have no date, for their prices.")(function)
    help_text = "The model of calls whose logs name none."
    return click.option("--model", default="", metavar="NAME", help=help_text)(function)


def sample_options(replications: int) -> Callable[[F], F]:
    """Return what adds the options that say how many runs are made, and where to; `replications` is the default."""

    def add(function: F) -> F:
        for option in reversed(
            (
                click.option(
                    "--replications", type=click.IntRange(2), default=replications, show_default=True
                ),
                click.option(
                    "--seed",
                    type=click.IntRange(0),
                    default=1,
                    show_default=True,
                    help="Same seed, same result.",
                ),
                click.option(
                    "--workers",
                    type=click.IntRange(1),
                    help="Cores to use; the result is the same.  [default: all]",
                ),
                click.option("--on", metavar="CLUSTER", help=ON_HELP),
                click.option(
                    "--out",
                    type=click.Path(path_type=Path, file_okay=False),
                    help="Write pictures and data here.",
                ),
                click.option(
                    "--json", "as_json", is_flag=True, help="Print everything as JSON, and nothing else."
                ),
                click.option("--quiet", is_flag=True, help="Print the answer only."),
            )
        ):
            function = option(function)
        return function

    return add


def say_if_compiling(is_silent: bool, engine: str | None = None) -> None:
    """Say that an engine (by default the default one) has to be compiled first, if so, and show how far that is."""
    from simbudget.projection.engines import DEFAULT_ENGINE, engine_named  # noqa: PLC0415

    to_compile = engine_named(engine or DEFAULT_ENGINE)
    if is_silent or to_compile.is_compiled():
        return
    click.echo(f"Compiling the engine, once: about {to_compile.compiling_takes}.", err=True)
    if sys.stderr.isatty():
        from simbudget.compilation import compiler  # noqa: PLC0415

        compiler.watch(CompilationBar())


class CompilationBar:
    """A line on the terminal that says what is compiled, how much is done, and how long the rest takes."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def __call__(self, name: str, part: float) -> None:
        """Draw the line anew; wipe it out when all is done."""
        if part >= 1.0:
            click.echo("\r\033[K", err=True, nl=False)
            return
        left_s = (time.monotonic() - self._began) * (1.0 - part) / max(part, 0.01)
        filled = round(part * _BAR_WIDTH)
        bar = "█" * filled + "░" * (_BAR_WIDTH - filled)
        text = f"{bar} {part:4.0%}, about {left_s:.0f} s left: {name[:_NAME_WIDTH]}"
        click.echo(f"\r\033[K{text}", err=True, nl=False)


def show(result: "Result", *, as_json: bool = False, quiet: bool = False, out: Path | None = None) -> None:
    """Show a result, and exit with 1 if a limit of its scenario is not met: the last line of a command.

    Args:
        result: what was found.
        as_json: print its JSON and nothing else.
        quiet: print its answer and nothing else.
        out: a folder to write it to.
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
