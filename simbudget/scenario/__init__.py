"""Scenarios: the YAML language in which users plan, read into frozen values with all defaults filled in."""
