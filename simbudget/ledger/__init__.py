"""The ledger: the record of a run, with one row per event."""
