"""Tables on narrow terminals: whatever the width, no word and no number is cut."""

import io

import pytest
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from simbudget.report.terminal import ReadableTables

FIGURES = ("$3,320", "$10,000", "$16,600", "0.4 %")


def table() -> Table:
    made = Table(title="What is spent", caption="with its errors", box=SIMPLE_HEAD, pad_edge=False)
    made.add_column("resource")
    for name in ("p10", "p50", "p90", "mean"):
        made.add_column(name, justify="right", no_wrap=True)
    made.add_row("API input tokens", *FIGURES)
    made.add_row("scorer", *FIGURES, style="dim")
    return made


def printed(width: int, *, readable: bool = True) -> str:
    console = Console(width=width, file=io.StringIO(), force_terminal=False)
    if readable:
        console.push_render_hook(ReadableTables(console))
    console.print(table())
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", range(16, 90, 3))
def test_no_word_and_no_number_is_cut_at_any_width(width: int) -> None:
    words = printed(width).split()
    for figure in FIGURES:
        assert sum(word.strip(";") == figure.split()[0] for word in words) == 2
    assert not any("…" in word for word in words)


def test_a_plain_table_would_be_cut() -> None:
    assert "…" in printed(30, readable=False)


def test_a_table_that_fits_stays_a_table() -> None:
    assert printed(80) == printed(80, readable=False)


def test_a_table_that_hardly_fits_stays_one_with_less_room_between_its_columns() -> None:
    narrowest = min(width for width in range(16, 90) if "resource" in printed(width))
    assert printed(narrowest) != printed(narrowest, readable=False)
    assert "…" in printed(narrowest, readable=False)


@pytest.mark.parametrize("width", range(24, 90, 3))
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    assert max(map(len, printed(width).splitlines())) <= width


def test_headers_are_whole_where_long_words_have_to_be_broken() -> None:
    made = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("quantity", "value", "difference"):
        made.add_column(name, overflow="fold")
    made.add_row("context.first_prompt_tokens", "the value is told in many words", "1")
    for width in range(46, 72, 3):
        console = Console(width=width, file=io.StringIO(), force_terminal=False)
        console.push_render_hook(ReadableTables(console))
        console.print(made)
        assert isinstance(console.file, io.StringIO)
        shown = console.file.getvalue()
        assert "difference" in shown
        assert "quantity" in shown


def test_a_row_keeps_its_name_and_each_value_the_name_of_its_column() -> None:
    lines = printed(30).splitlines()
    row = lines.index("API input tokens")
    assert (
        " ".join(" ".join(lines[row + 1 : row + 3]).split())
        == "p10 $3,320; p50 $10,000; p90 $16,600; mean 0.4 %"
    )
    assert lines[0] == "What is spent"
    assert "with its errors" in lines


def shown_names(width: int, *names: str) -> list[str]:
    """Return the lines of the first column of a table that has these names and long values."""
    made = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("quantity", "value", "source"):
        made.add_column(name, overflow="fold")
    for name in names:
        made.add_row(
            escape(name), "a value of several words", "https://example.org/docs/build-with-it/caching"
        )
    console = Console(width=width, file=io.StringIO(), force_terminal=False)
    console.push_render_hook(ReadableTables(console))
    console.print(made)
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    end = lines[1].index("value")
    return [line[:end].strip() for line in lines[3:] if line[:end].strip()]


def test_long_names_are_whole_where_there_is_room() -> None:
    assert shown_names(80, "fleet[researchers].start.context_tokens") == [
        "fleet[researchers].start.context_tokens"
    ]


def test_a_sentence_beside_a_long_path_is_not_a_word_a_line() -> None:
    made = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("file", "why"):
        made.add_column(name, overflow="fold")
    made.add_row(
        "/" + "/".join(["a-folder-with-a-long-name"] * 3) + "/cut.jsonl", "the file ends within this line"
    )
    console = Console(width=100, file=io.StringIO(), force_terminal=False)
    console.push_render_hook(ReadableTables(console))
    console.print(made)
    assert isinstance(console.file, io.StringIO)
    assert "the file ends" in console.file.getvalue()


@pytest.mark.parametrize("width", range(45, 60, 3))
def test_long_names_are_broken_between_their_parts(width: int) -> None:
    shown = shown_names(width, "fleet[researchers].start.context_tokens")
    assert "".join(shown) == "fleet[researchers].start.context_tokens"
    assert len(shown) > 1
    assert all(line.endswith((".", "_")) for line in shown[:-1])


@pytest.mark.parametrize("width", range(40, 90, 3))
def test_numbers_are_whole_where_their_heading_wraps(width: int) -> None:
    made = Table(box=SIMPLE_HEAD, pad_edge=False)
    made.add_column("what", overflow="fold")
    for name in ("agents=4 stop.reserve=$8000", "agents=9 stop.reserve=$8000"):
        made.add_column(escape(name), justify="right", overflow="fold")
    made.add_row("spend", "$17,400\n$13,500 to $22,800", "$22,200\n$15,500 to $27,700")
    console = Console(width=width, file=io.StringIO(), force_terminal=False)
    console.push_render_hook(ReadableTables(console))
    console.print(made)
    assert isinstance(console.file, io.StringIO)
    words = [word.strip(";,") for word in console.file.getvalue().split()]
    for figure in ("$17,400", "$13,500", "$22,800", "$22,200", "$15,500", "$27,700"):
        assert words.count(figure) == 1
