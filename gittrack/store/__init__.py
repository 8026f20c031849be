"""What is kept: live runs, runs, events, ledgers. Knows git's words through ``gittrack.git`` and bytes through ``core``."""
