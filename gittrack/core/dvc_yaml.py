"""The few files that make a run's tree a DVC revision.

``dvc.yaml`` names what DVC shows as params, metrics, plots and models; ``.dvc/`` must exist with any file in it, or DVC
finds neither pointers nor metrics at that revision. YAML is written by hand: every string is a JSON string, which YAML
1.2 reads as it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

REMOTE = "gittrack"
"""The name of the DVC remote that a run's tree defines."""
REMOTE_PREFIX = "gittrack"
"""The folder below a remote in which our bytes lie: ``dvc gc --cloud`` leaves it alone."""
CONFIG_FILE = ".dvc/config"
REMOTE_OPTIONS = ("url", "endpointurl", "region")
"""What of a DVC remote enters a commit: DVC knows some fifteen other options that hold secrets."""

_LONGEST_KEY = 1000  # YAML takes no longer key without "?" (1,024 characters, and readers differ by a few)
_FIXED = {
    # What `dvc init` writes: without it `git checkout RUN; dvc pull` leaves an untracked file that blocks checkout.
    ".dvc/.gitignore": b"/config.local\n/tmp\n/cache\n",
    ".dvcignore": b"",
}


def dvc_files(
    metric_files: Sequence[str], remote: Mapping[str, str], models: Mapping[str, str] | None = None
) -> dict[str, bytes]:
    """The DVC files of a run's tree.

    Args:
        metric_files: sorted paths of its metric files.
        remote: options of the DVC remote that holds the bytes of pointers; empty for none.
        models: name -> path of each model's folder in the tree, for ``dvc artifacts get``.
    """
    lines = ["params:", "- params.toml", "metrics:", "- summary.toml"]
    if metric_files:
        lines.append("plots:")
        for path in metric_files:
            key = json.dumps(path, ensure_ascii=False)
            lines += [f"- {key}:"] if len(key) < _LONGEST_KEY else [f"- ? {key}", "  :"]
            lines += ["    x: step", "    y: value"]
    if models:
        lines.append("artifacts:")
        for name in sorted(models):
            path = json.dumps(models[name], ensure_ascii=False)
            lines += [f"  {json.dumps(name)}:", f"    path: {path}", "    type: model"]
    return {**_FIXED, CONFIG_FILE: encode_remote(remote), "dvc.yaml": ("\n".join(lines) + "\n").encode()}


def encode_remote(remote: Mapping[str, str]) -> bytes:
    """The bytes of a run's ``.dvc/config``: its one remote, which is also the default one.

    Args:
        remote: of ``REMOTE_OPTIONS`` those that are set; none may hold a line break.
    """
    if not remote:
        return b""
    lines = ["[core]", f"    remote = {REMOTE}", f"['remote \"{REMOTE}\"']"]
    lines += [f"    {option} = {remote[option]}" for option in REMOTE_OPTIONS if option in remote]
    return ("\n".join(lines) + "\n").encode()


def decode_remote(data: bytes) -> dict[str, str]:
    """Read what :func:`encode_remote` wrote; what others wrote into it is ignored."""
    pairs = (line.strip().partition(" = ") for line in data.decode("utf-8", "replace").splitlines())
    return {option: value for option, equals, value in pairs if equals and option in REMOTE_OPTIONS}
