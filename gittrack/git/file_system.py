"""What kind of file system a folder lies on."""

from __future__ import annotations

import os
from pathlib import Path

_NETWORK = frozenset(
    "nfs nfs4 cifs smb smb2 smb3 smbfs 9p afs ncpfs ceph glusterfs lustre gpfs beegfs orangefs pvfs2 fuse.sshfs "
    "fuse.s3fs fuse.goofys fuse.gcsfuse fuse.glusterfs fuse.ceph davfs fuse.davfs2 vboxsf prl_fs virtiofs".split()
)
_MOUNTS = "/proc/self/mounts"


def is_network(folder: Path, mounts: str = _MOUNTS) -> bool:
    """Whether a folder lies on a file system that other machines may write to at the same time.

    Args:
        folder: an existing folder.
        mounts: the table of mounts, as Linux has it; where there is none the answer is no.
    """
    try:
        with open(mounts, encoding="utf-8", errors="surrogateescape") as table:
            rows = [line.split(" ") for line in table]
    except OSError:
        return False
    place = os.path.realpath(folder)
    kinds = {_unescaped(row[1]): row[2] for row in rows if len(row) > 2}  # the later mount covers the earlier one
    while place not in kinds and place != os.path.dirname(place):
        place = os.path.dirname(place)
    return kinds.get(place, "") in _NETWORK


def _unescaped(path: str) -> str:
    for code, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        path = path.replace(code, char)
    return path
