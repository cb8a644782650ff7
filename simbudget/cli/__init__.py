"""The command line: one module per command, which parses its options, makes one call and shows the result."""
