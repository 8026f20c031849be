"""What is kept: live runs, runs, events, ledgers. Git's words come from ``gittrack.git``, bytes from ``core``."""
