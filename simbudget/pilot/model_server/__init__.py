"""A local server of the Messages API, in a separate process: a real protocol in front of a simple program.

`python -m simbudget.pilot.model_server SETTINGS.json` prints `ready http://127.0.0.1:PORT` once it answers.
"""
