"""The agents of a pilot: each a process of its own that talks to the Messages API and works with tools.

`python -m simbudget.pilot.agents SETTINGS.json` lives one agent's life; killed and started again it goes on.
"""
