"""Artifact bytes: inline in the run's tree when small, else in our own store in DVC's layout, named by a pointer."""
