"""DVC pointers: the few lines of YAML that name an artifact's bytes by hash.

``hash: md5`` is not optional: without it DVC 3 takes the pointer for one of DVC 2 and finds nothing.
"""

from __future__ import annotations

import json

from gittrack.core.records import ArtifactEntry


def pointer_bytes(entry: ArtifactEntry, name: str) -> bytes:
    """The bytes of the ``.dvc`` file of one stored file or folder.

    Args:
        entry: the artifact; its digest is ``md5:<hex>``, with ``.dir`` at its end for a folder.
        name: the encoded base name beside which the pointer lies.
    """
    files = "" if entry.files is None else f"  nfiles: {entry.files}\n"
    return (
        "outs:\n"
        f"- md5: {entry.digest.removeprefix('md5:')}\n"
        f"  size: {entry.size}\n"
        f"{files}"
        "  hash: md5\n"
        f"  path: {json.dumps(name, ensure_ascii=False)}\n"
    ).encode()
