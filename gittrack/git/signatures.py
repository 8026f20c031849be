"""What signatures of commits are worth: by the user's own git, and by whom it trusts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from gittrack.core.ids import ObjectId
from gittrack.core.signatures import BAD, EXPIRED, GOOD, PRESENT, REVOKED, UNCHECKED, UNKNOWN, UNSIGNED, Signature
from gittrack.git.program import run_git

if TYPE_CHECKING:
    from gittrack.git.repository import Repository

_STATES = {"G": GOOD, "U": UNKNOWN, "B": BAD, "X": EXPIRED, "Y": EXPIRED, "R": REVOKED, "E": UNCHECKED}
"""What git's ``%G?`` says. ``N`` of a commit that has a signature: git has nothing to check it by."""


def signatures(repo: Repository, commits: Iterable[ObjectId], *, check: bool) -> dict[ObjectId, Signature]:
    """The signatures of some commits.

    Args:
        repo: where they are.
        commits: their ids.
        check: let git verify them: one git, which starts a program for each signature (``gpg.ssh.allowedSignersFile``
            and the like say whom it knows). Else only their presence is told.

    Raises:
        CorruptRecordError: a commit is missing or damaged.
        GitProgramError: git failed.
    """
    found = {id: Signature(PRESENT if repo.objects.read_commit(id).is_signed else UNSIGNED) for id in commits}
    signed = [id for id, signature in found.items() if signature.state == PRESENT]
    return found | _checked(repo, signed) if check and signed else found


def _checked(repo: Repository, commits: list[ObjectId]) -> dict[ObjectId, Signature]:
    output = run_git(
        ["-c", "log.showSignature=false", "log", "--no-walk=unsorted", "-z", "--format=%H%n%G?%n%GS", "--stdin"],
        cwd=repo.git_dir if repo.work_tree is None else repo.work_tree,
        git_dir=repo.git_dir,
        input="".join(f"{id}\n" for id in commits).encode(),
    )
    result = {id: Signature(UNCHECKED) for id in commits}
    for item in output.decode("utf-8", "replace").split("\0"):
        id, _, rest = item.partition("\n")
        letter, _, signer = rest.partition("\n")
        if id in result:
            result[ObjectId(id)] = Signature(_STATES.get(letter, UNCHECKED), signer.strip())
    return result
