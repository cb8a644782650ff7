"""Pictures: one a module, each a function that returns a figure and the data that it shows."""
