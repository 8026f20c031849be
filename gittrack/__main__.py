"""``python -m gittrack``: the same as the ``gittrack`` command."""

from __future__ import annotations

import sys

from gittrack.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
