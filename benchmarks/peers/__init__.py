"""One small fleet, written plainly in each of several simulators."""
