"""Prices as dated facts with their sources, and the one function that prices a call.

`charge.py` lists the price classes of tokens and prices a call; `models.py` finds the model that a name refers to, and
`catalogue.py` its rates by provider and date; `facts.py` contains what the price list lacks, such as hourly GPU prices
and the monthly limits of usage tiers; `listing.py` is what `prices` shows.
"""
