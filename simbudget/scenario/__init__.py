"""Scenarios: the YAML language that users plan in, read into frozen values with every default filled in."""
