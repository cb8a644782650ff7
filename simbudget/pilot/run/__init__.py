"""Running a pilot: checks before anything is spent, the processes and their watch, what became of what was open."""
