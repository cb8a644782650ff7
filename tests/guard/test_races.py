"""Threads and processes that race to a cap, while the provider fails, bills what it says has failed, and hangs up."""

from pathlib import Path

from simbudget.guard import BudgetGuard
from tests.guard.fake import faking
from tests.guard.racing import Books, race


def test_threads_and_processes_race_to_the_cap_and_never_pass_it(tmp_path: Path) -> None:
    books = Books(seed=1)
    with faking(books.answer) as provider:
        race(tmp_path / "ledger.sqlite", provider.url, cap_usd=0.60, processes=2, threads=12)
    spend = BudgetGuard(tmp_path / "ledger.sqlite", 0.60).spend()
    assert books.billed_usd <= spend.worst_usd + 1e-9, "nothing that was billed is missing"
    assert spend.worst_usd <= 0.60 + 1e-9
    assert spend.worst_usd > 0.60 - 0.05, "and it was raced to within one worst case of the cap"
    assert books.hidden > 0, "some of what was billed was answered as an error or cut"
