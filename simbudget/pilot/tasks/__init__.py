"""What the agents of a pilot work on: a task is a plug-in that says what they see, how it runs, and what it scores."""
