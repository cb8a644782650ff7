"""A local server of the Messages API, in a process of its own: the protocol is real, the mind is a program.

`python -m simbudget.pilot.model_server SETTINGS.json` prints `ready http://127.0.0.1:PORT` when it answers.
"""
