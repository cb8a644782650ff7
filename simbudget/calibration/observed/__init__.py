"""Sessions as logs show them: calls, what lies between them, and what each quantity was."""
