"""Calibrated scenarios: fits put in the place of what was assumed, shown, checked and written."""
