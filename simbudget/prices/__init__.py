"""Prices as dated facts with their sources: models, GPUs, the spend caps of usage tiers."""
