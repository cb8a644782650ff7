"""Projections: many replications over many worlds, on all cores, and what they say together."""
