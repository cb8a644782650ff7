"""Prices as dated facts with their sources, and the one function that prices a call.

`charge.py` prices a call; `catalogue.py` finds a model's rates by provider and date; `gpus.py` and `tiers.py` contain
hourly GPU prices and monthly limits of usage tiers; `facts.py` reads facts that the price list lacks.
"""
