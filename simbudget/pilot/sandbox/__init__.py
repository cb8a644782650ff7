"""Where agents' code runs: in its own directory, with no network, no view of anything else, and resource limits."""
