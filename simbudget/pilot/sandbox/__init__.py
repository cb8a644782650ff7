"""Where agents' code runs: a directory of its own, no network, no sight of anything else, and limits."""
