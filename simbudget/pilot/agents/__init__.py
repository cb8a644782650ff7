"""The agents of a pilot: each is a separate process that calls the Messages API and works with tools.

`python -m simbudget.pilot.agents SETTINGS.json` runs one agent; started again after a kill, it continues.
"""
