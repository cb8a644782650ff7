"""The pilot's site: scoring server, forum and code store, one small HTTP service over one SQLite file."""
