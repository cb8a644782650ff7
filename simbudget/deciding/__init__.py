"""Deciding: projections turned into choices, between plans, about evidence, and about the course of a run."""
