"""One module for each command or noun; each holds a ``command`` that :mod:`gittrack.cli.main` loads by name."""
