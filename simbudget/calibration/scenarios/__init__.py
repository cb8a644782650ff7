"""Calibrated scenarios: replacing assumptions by fits, with tables, checks and output files."""
