"""Markdown for a pull request: what changed, what it does, and nothing that GitHub would take for more than text."""

from simbudget.deciding.alternatives import Alternative, Sample
from simbudget.deciding.compare import compare
from simbudget.report.markdown import MOST_CHARACTERS, change_markdown, changed_values, plain
from simbudget.scenario.language.reading import Provenance
from simbudget.scenario.loading import loads_scenario
from tests.reporting.small import small


def changed(before: str, after: str) -> str:
    old, new = loads_scenario(before), loads_scenario(after)
    pair = [Alternative("before", old.scenario), Alternative("now", new.scenario)]
    return change_markdown(compare(pair, Sample(40, workers=1)), old.provenance, new.provenance, "simbudget")


def test_an_unchanged_scenario_is_the_same_in_every_run():
    text = changed(small(), small())
    assert "The same in every simulated run" in text
    assert "| changed |" not in text


def test_a_more_expensive_gpu_is_reported_with_its_interval():
    text = changed(small(), small().replace("price: 3 $/h", "price: 6 $/h"))
    assert "more expensive** on average (95 %:" in text
    assert "| <code>gpus.price</code> | <code>3 $/h</code> | <code>6 $/h</code> |" in text
    assert "| transferable results |" in text
    cheaper = changed(small().replace("price: 3 $/h", "price: 6 $/h"), small())
    assert "cheaper** on average" in cheaper


def test_a_name_cannot_mention_anybody_or_break_a_table():
    assert plain("@all | <b> `x` [a](http://b) \n# c") == (
        "&#64;all &#124; &#60;b&#62; &#96;x&#96; &#91;a&#93;(http://b) &#35; c"
    )


def test_a_comment_is_never_longer_than_github_takes():
    many = [Provenance(f"gates[{n}].price", "9" * 180, "exact", "f:1") for n in range(5000)]
    old, new = loads_scenario(small()), loads_scenario(small())
    pair = [Alternative("before", old.scenario), Alternative("now", new.scenario)]
    text = change_markdown(compare(pair, Sample(4, workers=1)), many, [], "simbudget")
    assert "more" in text and len(text) < MOST_CHARACTERS


def test_what_was_added_and_taken_away_is_told():
    row = Provenance("a", "1", "exact", "f:1")
    other = Provenance("b", "2", "exact", "f:2")
    assert changed_values([row], [other]) == [("a", "1", None), ("b", None, "2")]
