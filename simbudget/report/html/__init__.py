"""The report to hand round: one HTML file that carries all it needs, and asks the network for nothing."""
