"""Calibration: what logs of real runs say of a scenario's quantities, and how far that can be trusted."""
