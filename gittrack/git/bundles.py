"""Bundles: files that git fetches from, for places that no network reaches."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gittrack.core.ids import ObjectId, RefName
from gittrack.errors import CorruptRecordError, GitProgramError, StorageError, UsageError
from gittrack.git.failures import disk_hint
from gittrack.git.program import run_git

if TYPE_CHECKING:
    from gittrack.git.repository import Repository


_BASIS = re.compile(rb"-([0-9a-f]{40})(?![0-9a-f])")
_LONGEST = 4096
"""Bytes of a line of a bundle's head that is understood: an id, and a commit's subject."""
_FIRST_LINES = (b"# v2 git bundle\n", b"# v3 git bundle\n")


def check_bundle(file: Path) -> None:
    """Look whether a file begins as a bundle does, before git sees it: a file may also lead git to a repository.

    Raises:
        CorruptRecordError: it is none.
        StorageError: it cannot be read.
    """
    try:
        with open(file, "rb") as opened:
            line = opened.readline(32)
    except OSError as error:
        raise StorageError(f"cannot read '{file}': {error.strerror}", hint=f"ls -l {file}") from error
    if line not in _FIRST_LINES:
        raise CorruptRecordError(f"'{file}' is no bundle", hint="gittrack bundle create FILE")


def lacking(repo: Repository, file: Path) -> list[ObjectId]:
    """The commits that a bundle builds on, as whoever wrote it said that they are there, and that are not here.

    Raises:
        StorageError: it cannot be read.
    """
    basis = []
    try:
        with open(file, "rb") as opened:
            opened.readline(32)
            while (line := opened.readline(_LONGEST)).startswith((b"-", b"@")):
                if found := _BASIS.match(line):
                    basis.append(ObjectId(found[1].decode("ascii")))
    except OSError as error:
        raise StorageError(f"cannot read '{file}': {error.strerror}", hint=f"ls -l {file}") from error
    return [commit for commit in basis if not repo.objects.exists(commit)]


def write_bundle(repo: Repository, file: Path, names: Sequence[RefName], without: Sequence[str] = ()) -> None:
    """Write refs, with everything they reach, into a file that appears complete.

    Args:
        repo: where from.
        file: the bundle; replaced when it is there.
        names: of the refs; at least one.
        without: revisions that whoever takes the bundle has already.

    Raises:
        UsageError: a revision is none.
        StorageError: it cannot be written.
    """
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    basis = "".join(f"^{revision}\n" for revision in without)
    lines = "".join(f"{name}\n" for name in names) + basis
    try:
        args = ["bundle", "create", "-q", str(fresh), "--stdin"]
        run_git(args, cwd=repo.git_dir, git_dir=repo.git_dir, input=lines.encode("utf-8", "surrogateescape"))
        os.replace(fresh, file)
    except GitProgramError as error:
        if without and ("bad revision" in error.message or "bad object" in error.message):
            raise UsageError(
                f"a revision of --without is none: {error.message}", hint="git rev-parse REVISION"
            ) from error
        raise
    except OSError as error:
        raise StorageError(f"cannot write '{file}': {error.strerror}", hint=disk_hint(error, file.parent)) from error
    finally:
        fresh.unlink(missing_ok=True)
