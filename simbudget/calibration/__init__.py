"""Calibration of scenarios on logs of real runs, and checks of its accuracy."""
