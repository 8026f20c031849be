"""Paths that other people chose, before anything is written at them.

An artifact may be called almost anything while it lies in a run; a file on somebody's disk may not: one in ``.git``
would be believed by git, and two whose names differ only in case would overwrite each other where case is ignored.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from itertools import pairwise

from gittrack.core.names import display
from gittrack.errors import CorruptRecordError

MAX_DEPTH = 128
"""Parts of a path that is written, at most."""
_IGNORED = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")
"""What macOS leaves out of names when it compares them."""


def is_gits_own(part: str) -> bool:
    """Whether git, on any file system, would take a file of that name for its own folder.

    >>> [is_gits_own(part) for part in (".git", ".GIT .", "git~1", ".git::$INDEX", ".g\u200cit", ".gitignore")]
    [True, True, True, True, True, False]
    """
    plain = _IGNORED.sub("", part).partition(":")[0]
    return plain.rstrip(" .").casefold() in {".git", "git~1"}


def check_written(paths: Iterable[str]) -> None:
    """Check paths that are about to be written below one folder.

    Args:
        paths: in their plain form: relative, without ``..``.

    Raises:
        CorruptRecordError: one leads into ``.git`` or is too deep, or two are one file, or a file and a folder, where
            case is ignored.
    """
    listed = list(paths)
    for path in listed:
        parts = path.split("/")
        if any(map(is_gits_own, parts)):
            raise CorruptRecordError(f"'{display(path, 80)}' would be written into git's own folder")
        if len(parts) > MAX_DEPTH:
            raise CorruptRecordError(f"'{display(path, 80)}' lies more than {MAX_DEPTH} folders deep")
    clash = first_clash((_folded(path), path) for path in listed)
    if clash is not None:
        one, other = (display(path, 80) for path in clash)
        text = f"'{one}' and '{other}' are one file, or a file and its folder, where case is ignored"
        raise CorruptRecordError(text, hint="get each by its own path")


def first_clash(paths: Iterable[tuple[str, str]]) -> tuple[str, str] | None:
    """Two paths of which one is the other, or lies below it; None when there are none.

    Args:
        paths: each as it is compared, and as it is told.
    """
    # NUL in place of the slash sorts first: what lies below a file then follows it at once.
    ordered = sorted((compared.replace("/", "\0"), told) for compared, told in paths)
    for (one, first), (other, second) in pairwise(ordered):
        if other == one or other.startswith(one + "\0"):
            return first, second
    return None


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", _IGNORED.sub("", path)).casefold()
