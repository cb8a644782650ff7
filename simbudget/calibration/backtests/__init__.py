"""Backtests: projecting what is known already, scored, stretched by what others showed, and kept as a record."""
