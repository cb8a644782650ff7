"""The scenarios that the README and the pages show can be pasted into a file and are valid."""

import re
from pathlib import Path

import pytest
import yaml

from simbudget.scenario.loading import loads_scenario

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
NOT_SCENARIOS = {"language.md", "pilot-task.md"}
"""The reference's examples have a test of their own; a task of the pilot is no scenario."""

PLAIN = """
fleet: [{agents: 2, model: claude-opus-4-6}]
cycle: [{think: {turns: 3}}, {score: {}}]
gates: [{name: held-out domain, keeps: 50%}, {name: production, keeps: 10%}]
stop: {after: 1 day}
"""


def examples() -> "list[tuple[str, str]]":
    found = []
    for page in PAGES:
        if page.name not in NOT_SCENARIOS:
            blocks = re.findall(r"^( *)```yaml\n(.*?)^ *```", page.read_text(encoding="utf-8"), re.S | re.M)
            found += [(page.name, re.sub(f"^{indent}", "", block, flags=re.M)) for indent, block in blocks]
    return found


@pytest.mark.fast
@pytest.mark.parametrize(("page", "text"), examples(), ids=lambda value: value[:40])
def test_every_scenario_on_a_page_is_valid(page: str, text: str) -> None:
    written = yaml.safe_load(text)
    assert isinstance(written, dict), page
    missing = {key: value for key, value in yaml.safe_load(PLAIN).items() if key not in written}
    loads_scenario(f"simbudget: 1\n{text}\n{yaml.safe_dump(missing)}" if missing else text, page)


@pytest.mark.fast
def test_the_readme_shows_a_whole_scenario() -> None:
    assert any(page == "README.md" and "fleet:" in text and "cycle:" in text for page, text in examples())
