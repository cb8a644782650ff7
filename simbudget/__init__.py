"""simbudget: know what a fleet of autonomous research agents will spend, before it spends it."""

__version__ = "0.1.0"
