"""The entry point: finds the command, and turns a user's mistake into lines on stderr and exit status 2.

A command's module is imported only when it is asked for, so that `simbudget --help` answers at once.
"""

import os
import sys
from importlib import import_module
from typing import Final

import click

from simbudget import __version__, interrupts
from simbudget.errors import UserError, visible, why

WRONG_INPUT: Final = 2

_COMMANDS: Final = {
    "init": "Write a commented scenario to start from.",
    "check": "Say what was understood of a scenario.",
    "schema": "Print the scenario language as a JSON Schema, for editors.",
    "project": "Project spend, time and bottlenecks of a scenario.",
    "compare": "Compare plans: differences with intervals, and the best buy.",
    "sensitivity": "Rank what moves cost and results, and what is worth knowing.",
    "plan": "Search for the best plan within a budget.",
    "plan-pilot": "Say which short pilot run would narrow the projection most.",
    "pilot": "Run a scenario for real, for a short while, and write a ledger to calibrate on.",
    "guard": "Run any program with a cap on what its model calls cost.",
    "review": "Show which submissions of a pilot need a look, and decide on them.",
    "trace": "Write everything that happens in one replication.",
    "forecast": "Forecast what is still to come, from logs alone.",
    "watch": "Project a run anew from where it stands.",
    "report": "Write a report to hand round: HTML, or Markdown for a pull request.",
    "prices": "Show what models and GPUs cost on a date.",
    "evidence": "Show what is published on how often results hold.",
    "usage": "Show what was spent, on what, by logs of any tool.",
    "import": "Read logs of real runs into a ledger.",
    "calibrate": "Learn a scenario's quantities from logs of real runs.",
    "backtest": "Say how good projections would have been on known runs.",
}
"""Each command's one line of help, known without importing it."""

_MODULES: Final = {"import": "import_logs", "plan-pilot": "plan_pilot"}
"""Where commands are whose names no module can have."""


def _trust_options() -> list[click.Option]:
    """Return the options of every command that say what a scenario may do."""

    def take(_: click.Context, option: click.Parameter, value: bool | None) -> None:
        if value is not None:
            from simbudget.scenario.trust import trust  # noqa: PLC0415  most commands are run without

            trust(**{str(option.name): value})

    return [
        click.Option(
            ["--python/--no-python", "runs_python"],
            default=None,
            is_eager=True,
            expose_value=False,
            callback=take,
            help="Run `python` steps of scenarios, or refuse them.  [default: run, but in a fork's pull request]",
        ),
        click.Option(
            ["--allow-outside", "leaves_folder"],
            is_flag=True,
            default=None,
            is_eager=True,
            expose_value=False,
            callback=take,
            help="Let scenarios name files outside their folder.",
        ),
    ]


class _Commands(click.Group):
    """A group whose commands are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands' names, in the order in which they are used."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by its name."""
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(
            import_module(f"simbudget.cli.{_MODULES.get(cmd_name, cmd_name)}"),
            f"{cmd_name.replace('-', '_')}_command",
        )
        known = {parameter.name for parameter in command.params}
        command.params += [option for option in _trust_options() if option.name not in known]
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is asked for; a misspelt one is told with the nearest right spelling."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches  # noqa: PLC0415  most commands are spelt rightly

            near = get_close_matches(args[0], _COMMANDS, 1)
            if not near:
                raise
            message = f"{error.message.rstrip('.')}; did you mean '{near[0]}'?"
            raise click.UsageError(message, ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="simbudget")
def commands() -> None:
    """Know what a fleet of autonomous research agents will spend, before it spends it.

    Exit status: 0 fine, 1 a limit of the scenario is not met, 2 the input is wrong.
    """


def main() -> None:
    """Run the command line, and exit."""
    interrupts.watch()
    try:
        commands.main(prog_name="simbudget", standalone_mode=False)
        if interrupts.came():  # what was done before is shown by now
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
        error.show()
        sys.exit(WRONG_INPUT)
    except (KeyboardInterrupt, click.Abort):
        interrupts.leave()
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        click.echo(f"error: {_one_line(where + why(error))}", err=True)
        sys.exit(WRONG_INPUT)
    except Exception as error:
        if not _is_of_a_damaged_store(error):
            raise
        found = _one_line(str(error).splitlines()[0] if str(error) else type(error).__name__)
        click.echo(f"error: a file that simbudget read is damaged: {found}", err=True)
        sys.exit(WRONG_INPUT)


def _one_line(text: str) -> str:
    return visible(text).replace("\n", " ")


def _is_of_a_damaged_store(error: Exception) -> bool:
    """Return whether SQLite or Arrow could not make sense of a file; both are imported only where they are used."""
    return any(f"{kind.__module__}.{kind.__name__}" in _STORES_ERRORS for kind in type(error).__mro__)


_STORES_ERRORS: Final = frozenset({"sqlite3.DatabaseError", "pyarrow.lib.ArrowException"})
