"""The pilot's service: scoring server, forum and code store behind one HTTP interface, stored in one SQLite file."""
