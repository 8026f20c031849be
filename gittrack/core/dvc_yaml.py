"""The few files that make a run's tree a DVC revision.

``dvc.yaml`` names what DVC shows as params, metrics and plots; ``.dvc/`` must exist with any file in it, or DVC finds
neither pointers nor metrics at that revision. YAML is written by hand: every string is a JSON string, which YAML 1.2
reads as it is.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

_LONGEST_KEY = 1000  # YAML takes no longer key without "?" (1,024 characters, and readers differ by a few)
_FIXED = {
    ".dvc/config": b"",
    # What `dvc init` writes: without it `git checkout RUN; dvc pull` leaves an untracked file that blocks checkout.
    ".dvc/.gitignore": b"/config.local\n/tmp\n/cache\n",
    ".dvcignore": b"",
}


def dvc_files(metric_files: Sequence[str]) -> dict[str, bytes]:
    """The DVC files of a run's tree.

    Args:
        metric_files: sorted paths of its metric files.
    """
    lines = ["params:", "- params.toml", "metrics:", "- summary.toml"]
    if metric_files:
        lines.append("plots:")
        for path in metric_files:
            key = json.dumps(path, ensure_ascii=False)
            lines += [f"- {key}:"] if len(key) < _LONGEST_KEY else [f"- ? {key}", "  :"]
            lines += ["    x: step", "    y: value"]
    return {**_FIXED, "dvc.yaml": ("\n".join(lines) + "\n").encode()}
