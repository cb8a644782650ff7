"""Tasks that a pilot's agents work on: a plug-in defines the agents' files, how experiments run, and their scores."""
