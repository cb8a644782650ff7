"""What the documents promise: their examples run, and their commands work."""

import doctest
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from simbudget.cli.main import commands

DOCS = Path(__file__).parents[2] / "docs"

FEWER = {
    "compare": ["--replications", "4"],
    "sensitivity": ["--replications", "20", "--no-choices"],
    "plan": ["--replications", "4", "--evaluations", "2"],
    "plan-pilot": ["--replications", "24", "--hours", "0.5"],
    "project": ["--replications", "4"],
}
"""What is added to a command so that it takes a moment."""


def promised(page: str) -> list[str]:
    text = (DOCS / page).read_text(encoding="utf-8").replace("\\\n", " ")
    return re.findall(r"^\$ (simbudget .+)$", text, re.MULTILINE)


def test_the_examples_of_the_python_interface_run() -> None:
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    failed, tried = doctest.testfile(
        str(DOCS / "api.md"), module_relative=False, optionflags=flags, encoding="utf-8"
    )
    assert failed == 0
    assert tried > 15


@pytest.mark.parametrize("command", promised("decisions.md"))
def test_a_command_of_the_worked_decisions_works(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(DOCS.parent)
    _, name, *options = shlex.split(command)
    options = [
        str(tmp_path / "out") if before == "--out" else option
        for before, option in zip(["", *options], options, strict=False)
    ]
    result = CliRunner().invoke(commands, [name, *options, *FEWER[name]], catch_exceptions=False)
    assert result.exit_code in (0, 1), result.output  # 1: a limit is not met, which is an answer
    assert result.output.strip()


def test_every_scenario_has_a_worked_decision() -> None:
    text = "\n".join(promised("decisions.md"))
    for scenario in ("aar-weak-to-strong", "autoresearch-one-gpu", "fleet-of-200", "reserved-pool"):
        assert f"scenarios/{scenario}.yaml" in text
