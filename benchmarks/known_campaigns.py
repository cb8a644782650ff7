"""The table of known campaigns that ships with the product: what their beginnings showed, and what became of them.

`make backtest` makes it from the logs at hand. Tables of results without times get those of their commits, which
stand in the tidy table beside the logs.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pandas as pd

from simbudget.calibration.campaigns.beginnings import FILE, known_table
from simbudget.calibration.campaigns.campaigns import Campaign, campaigns_of
from simbudget.ledger.readers import read_logs

ROOT = Path(__file__).parent.parent
DATA = ROOT.parent / "shared" / "data"
CAMPAIGNS: Final = (
    "auto-research-recipes",
    "pi-autoresearch",
    "hilo-parameter-golf",
    "kaizen/autoresearch-results.jsonl",
)
COMMITTED: Final = "results-tsv"
_FEWEST_TIMED: Final = 0.9
_DECIMALS: Final = "%.6g"


def main() -> None:
    """Print the table, or write it into the product."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--write", action="store_true", help="write it into the product")
    arguments = parser.parse_args()
    if not arguments.data.is_dir():
        sys.exit(f"{arguments.data}: no such folder; name the data's folder with --data")
    text = known_table(known_campaigns(arguments.data)).to_csv(
        index=False, float_format=_DECIMALS, lineterminator="\n"
    )
    if arguments.write:
        (ROOT / "simbudget" / "calibration" / FILE).write_text(text, encoding="utf-8")
    else:
        print(text, end="")


def known_campaigns(data: Path) -> Iterator[Campaign]:
    """Yield the campaigns that the project is built with."""
    yield from campaigns_of(read_logs([data / "raw" / name for name in CAMPAIGNS]))
    with tempfile.TemporaryDirectory() as folder:
        tables = list(_with_commit_times(data / "tidy" / "experiments.csv", Path(folder) / COMMITTED))
        yield from campaigns_of(read_logs(tables))


def _with_commit_times(tidy: Path, folder: Path) -> Iterator[Path]:
    """Yield tables of results that have the times of their commits."""
    folder.mkdir()
    everything = pd.read_csv(tidy)
    for run, rows in everything[everything["source"] == COMMITTED].groupby("run_id"):
        timed = rows[rows["finished_at"].notna()]
        if len(timed) < _FEWEST_TIMED * len(rows):
            continue
        path = folder / f"{str(run).partition('+')[2].replace(':', '-')}.tsv"
        columns = {"commit": range(len(timed)), "started": timed["finished_at"], "val_bpb": timed["score"]}
        pd.DataFrame(columns | {"status": timed["status"]}).to_csv(path, sep="\t", index=False)
        yield path


if __name__ == "__main__":
    main()
