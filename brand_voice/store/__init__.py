"""The one door to SQL: everything a workspace remembers, in one SQLite file."""
