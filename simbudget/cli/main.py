"""The entry point: finds the command, and turns a user's mistake into lines on stderr and exit status 2.

A command's module is imported only when that command is run, which keeps `simbudget --help` fast.
"""

import os
import sys
from importlib import import_module
from io import StringIO
from typing import Final

import click

from simbudget import __version__, interrupts
from simbudget.errors import UserError, speak_of_options, visible, why

WRONG_INPUT: Final = 2

_COMMANDS: Final = {
    "init": "Write a commented scenario to start from.",
    "check": "Show how a scenario was understood.",
    "schema": "Print the scenario language as a JSON Schema, for editors.",
    "project": "Project the spend, time and bottlenecks of a scenario.",
    "compare": "Compare plans: differences with intervals, and the best buy.",
    "sensitivity": "Rank what drives cost and results, and what is worth knowing.",
    "plan": "Search for the best plan within a budget.",
    "plan-pilot": "Find the short pilot run that would narrow the projection most.",
    "pilot": "Run a scenario for real, briefly, and write a ledger to calibrate on.",
    "guard": "Run any program with a cap on the cost of its model calls.",
    "review": "Show which submissions of a pilot need a look, and decide on them.",
    "trace": "Write every event of one replication.",
    "forecast": "Forecast future spend from logs alone.",
    "watch": "Re-project a run in progress.",
    "report": "Write a report to share: HTML, or Markdown for a pull request.",
    "prices": "Show what models and GPUs cost on a date.",
    "evidence": "Show published evidence on how often results hold.",
    "usage": "Show past spend from logs of any tool.",
    "import": "Read logs of real runs into a ledger.",
    "calibrate": "Learn a scenario's quantities from logs of real runs.",
    "backtest": "Measure how accurate forecasts would have been on known runs.",
}
"""One line of help per command, available without importing it."""

_MODULES: Final = {"import": "import_logs", "plan-pilot": "plan_pilot"}
"""Module names of commands whose own name is not a valid module name."""


_WITHOUT_SCENARIO: Final = frozenset(
    ("init", "schema", "guard", "review", "forecast", "prices", "evidence", "usage", "import", "backtest")
)
"""Commands that read no scenario: they take the options below as all commands do, but their help leaves them out."""


def _trust_options(is_hidden: bool) -> list[click.Option]:
    """Return the options, shared by all commands, that say what a scenario is allowed to do."""

    def take(_: click.Context, option: click.Parameter, value: bool | None) -> None:
        if value is not None:
            from simbudget.scenario.language.trust import trust  # noqa: PLC0415  rarely used, and slow to import

            trust(**{str(option.name): value})

    return [
        click.Option(
            ["--python/--no-python", "runs_python"],
            default=None,
            is_eager=True,
            expose_value=False,
            callback=take,
            hidden=is_hidden,
            help="Run or refuse `python` steps of scenarios.  [default: run, except in a pull request from a fork]",
        ),
        click.Option(
            ["--allow-outside", "leaves_folder"],
            is_flag=True,
            default=None,
            is_eager=True,
            expose_value=False,
            callback=take,
            hidden=is_hidden,
            help="Allow scenarios to name files outside their folder.",
        ),
    ]


class _Commands(click.Group):
    """A command group that imports a command's module on first use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands, in the order in which they are typically used."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command by name."""
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(
            import_module(f"simbudget.cli.{_MODULES.get(cmd_name, cmd_name)}"),
            f"{cmd_name.replace('-', '_')}_command",
        )
        # A command object lives as long as the process, and tests get it more than once.
        known = {parameter.name for parameter in command.params}
        options = _trust_options(is_hidden=cmd_name in _WITHOUT_SCENARIO)
        command.params += [option for option in options if option.name not in known]
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the requested command; for a misspelt name, the error suggests the nearest one."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches  # noqa: PLC0415  only needed for a misspelt command

            near = get_close_matches(args[0], _COMMANDS, 1)
            if not near:
                raise
            message = f"{error.message.rstrip('.')}; did you mean '{near[0]}'?"
            raise click.UsageError(message, ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="simbudget")
def commands() -> None:
    """Know what a fleet of autonomous research agents will spend, before it spends it.

    Exit status: 0 success, 1 a limit of the scenario is not met, 2 invalid input.
    """


def main() -> None:
    """Run the command line and exit."""
    interrupts.watch()
    speak_of_options()
    try:
        commands.main(prog_name="simbudget", standalone_mode=False)
        if interrupts.came():  # the partial result has been shown by now
            interrupts.end(interrupts.STATUS)
    except UserError as error:
        for problem in error.problems:
            click.echo(f"error: {_one_line(str(problem))}", err=True)
        sys.exit(WRONG_INPUT)
    except click.exceptions.Exit as exit_:
        if interrupts.came():
            interrupts.end(interrupts.STATUS)
        sys.exit(exit_.exit_code)
    except click.ClickException as error:
        written = StringIO()
        error.show(written)
        click.echo(visible(written.getvalue()), err=True, nl=False)
        sys.exit(WRONG_INPUT)
    except (KeyboardInterrupt, click.Abort):
        interrupts.leave()
    except BrokenPipeError:  # the reader of our output, such as `head`, has closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        click.echo(f"error: {_one_line(where + why(error))}", err=True)
        sys.exit(WRONG_INPUT)
    except Exception as error:
        if _passes_on_interrupt(error):
            interrupts.leave()
        said = _lacks(error) or _is_damaged(error)
        if not said:
            raise
        click.echo(f"error: {said}", err=True)
        sys.exit(WRONG_INPUT)


def _one_line(text: str) -> str:
    return visible(text).replace("\n", " ")


def _passes_on_interrupt(error: BaseException | None) -> bool:
    """Return whether an exception was raised because of Ctrl-C.

    Up to Python 3.11, what a class's `__set_name__` raises becomes a RuntimeError, as when an import is interrupted.
    """
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _lacks(error: Exception) -> str:
    """Return the message about a package that is not installed; empty if the error is another one."""
    module = error.name or "" if isinstance(error, ModuleNotFoundError) else ""
    name = module.partition(".")[0]
    extra = _EXTRAS.get(name)
    return (
        f"this needs the package {name}; install it with: pip install 'simbudget[{extra}]'" if extra else ""
    )


def _is_damaged(error: Exception) -> str:
    """Return the message about a file that SQLite or Arrow cannot read; empty if the error is another one.

    Both are imported only where they are used.
    """
    if not any(f"{kind.__module__}.{kind.__name__}" in _STORES_ERRORS for kind in type(error).__mro__):
        return ""
    found = _one_line(str(error).splitlines()[0] if str(error) else type(error).__name__)
    return f"a file that simbudget read is damaged: {found}"


_EXTRAS: Final = {
    **dict.fromkeys(("httpx2", "starlette", "uvicorn"), "guard"),
    **dict.fromkeys(("anthropic", "fastapi", "psutil"), "pilot"),
    **dict.fromkeys(("cryptography", "dask", "distributed"), "dask"),
    "inspect_ai": "inspect",
    "hypothesis": "testing",
}
"""Packages that not every installation has, and the extra that brings each."""

_STORES_ERRORS: Final = frozenset({"sqlite3.DatabaseError", "pyarrow.lib.ArrowException"})
