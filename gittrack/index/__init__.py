"""The index: what all runs say, in SQLite, so that questions about many cost little. Derived; safe to delete."""
