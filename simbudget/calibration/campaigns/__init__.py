"""Campaigns of experiments: how their rests go on, what they keep, and the research block fitted to them."""
