"""Files are there whole or not at all, and what is no plain file is written to as it is."""

import errno
import os
from pathlib import Path

import pytest

from simbudget.errors import UserError
from simbudget.ledger.whole_files import written_whole


def test_a_disk_that_fills_up_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("before")
    with pytest.raises(UserError, match="no space left on device"), written_whole(path) as fresh:
        fresh.write_text("half of")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]
    assert path.read_text() == "before"


def test_what_is_written_takes_its_place(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    with written_whole(path) as fresh:
        fresh.write_text("all of it")
        assert not path.exists()
    assert path.read_text() == "all of it"


def test_a_device_is_written_to_and_not_replaced() -> None:
    with written_whole(Path(os.devnull)) as fresh:
        fresh.write_text("away")
    assert Path(os.devnull).is_char_device()
