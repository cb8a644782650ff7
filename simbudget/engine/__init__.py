"""The engine: a scenario lowered to a program, the laws, and what plays them out in time."""
