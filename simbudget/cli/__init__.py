"""The command line: one module a command, which parses, makes one call and renders."""
