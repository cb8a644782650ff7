"""Posteriors of single quantities: typical value, scatter, shape and levels of runs."""
