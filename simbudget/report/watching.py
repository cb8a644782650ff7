"""The live view of a run that is followed."""

from collections.abc import Iterator

from rich.live import Live

from simbudget.forecast.outlook import Outlook
from simbudget.report.terminal import standard_output
from simbudget.report.watch_tables import outlook_view


def live_view(outlooks: Iterator[Outlook]) -> Outlook:
    """Show each outlook in the place of the last, and return the last; Ctrl-C ends it.

    Raises:
        KeyboardInterrupt: before the first.
    """
    last: Outlook | None = None
    with Live(console=standard_output(), auto_refresh=False, vertical_overflow="visible") as live:
        try:
            for last in outlooks:
                live.update(outlook_view(last), refresh=True)
        except KeyboardInterrupt:
            if last is None:
                raise
    assert last is not None
    return last
