"""The ledger: the record of a run, one row per thing that happened (DESIGN section 7)."""
