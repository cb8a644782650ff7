"""Decisions from projections: comparing plans, valuing evidence, planning pilots."""
