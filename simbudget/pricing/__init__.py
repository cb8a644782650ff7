"""Prices as dated facts with their sources, and the one law of what a call costs.

`charge.py` prices a call; `catalogue.py` finds a model's rates by provider and date; `gpus.py` and `tiers.py` hold what
GPUs cost by the hour and what usage tiers allow in a month; `facts.py` reads what the price list leaves out.
"""
