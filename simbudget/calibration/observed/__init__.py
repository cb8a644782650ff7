"""Sessions in logs: calls, the times between them, and observed quantities."""
