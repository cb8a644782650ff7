"""Campaigns of experiments: forecasts of their remainder and kept results, and fits of the research block."""
