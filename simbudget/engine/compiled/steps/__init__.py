"""The steps of a cycle, each from point to point; see `reference.agent` and `reference.experiments`."""
