"""Running a pilot: checks before any money is spent, supervision of the processes, and settling of open entries."""
