"""Evidence: what has been observed narrows the priors of a scenario's research, before its worlds are drawn."""

from simbudget.engine.evidence.bayes_update import Weighed, understood, weigh

__all__ = ["Weighed", "understood", "weigh"]
