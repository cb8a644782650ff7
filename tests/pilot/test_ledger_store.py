"""The durable ledger: what is open, what it counts, and what opening it allows."""

from pathlib import Path

import pytest

from simbudget.errors import UserError
from simbudget.ledger.entry import Entry
from simbudget.ledger.store import CapReachedError, Intent, LedgerStore

CALL = Entry(0, 0, 0, 0, 0, "call", 0.0, 0.0, 0.0, model="m", component="tokens", source="test")


def intent(name: str, worst_usd: float) -> Intent:
    return Intent(CALL, name, worst_usd)


def test_what_is_open_counts_at_its_worst_and_settled_at_what_it_came_to(tmp_path: Path) -> None:
    with LedgerStore(tmp_path / "ledger.sqlite") as store:
        key = store.open(intent("a", 0.4), cap_usd=1.0)
        assert (store.spend(0).settled_usd, store.spend(0).open_usd) == (0.0, 0.4)
        store.settle(key, cost_usd=0.1, output_tokens=5)
        assert (store.spend(0).settled_usd, store.spend(0).open_usd) == (0.1, 0.0)
        store.settle(key, cost_usd=9.0)
        assert store.spend(0).settled_usd == 0.1, "what is closed stays as it is"
        store.discard(key)
        assert len(store.entries()) == 1
        store.write_off(store.open(intent("b", 0.3)))
        assert store.spend(0).settled_usd == pytest.approx(0.4)
        assert [entry.source for entry in store.entries()] == ["test", "worst case"]


def test_what_could_pass_the_cap_is_not_written(tmp_path: Path) -> None:
    with LedgerStore(tmp_path / "ledger.sqlite") as one, LedgerStore(tmp_path / "ledger.sqlite") as two:
        one.open(intent("a", 0.7), cap_usd=1.0)
        with pytest.raises(CapReachedError) as caught:
            two.open(intent("b", 0.4), cap_usd=1.0)
        assert caught.value.may_pass, "it fits if the other comes to less"
        with pytest.raises(CapReachedError) as caught:
            two.open(intent("b", 1.1), cap_usd=1.0)
        assert not caught.value.may_pass
        assert len(two.entries()) == 1


def test_an_open_entry_is_found_again_by_whoever_opens_the_file_next(tmp_path: Path) -> None:
    with LedgerStore(tmp_path / "ledger.sqlite") as store:
        store.open(intent("a", 0.7))
    with LedgerStore(tmp_path / "ledger.sqlite") as store:
        (found,) = store.open_entries(0)
        assert (found.request_id, found.entry.output_tokens, found.entry.cost_usd) == ("a", None, 0.7)


def test_a_file_that_is_no_ledger_is_refused_and_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a database, but long enough to look at " * 50)
    with pytest.raises(UserError, match="is not a ledger"):
        LedgerStore(tmp_path / "notes.txt")
    assert (tmp_path / "notes.txt").read_text().startswith("not a database")
