"""Commits signed by the user's own git: its keys, its agents, its passphrase prompts (OpenPGP, SSH, X.509).

``git commit-tree -S`` signs exactly the commit that it is given, asks no hook and moves no ref.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gittrack.core.ids import ObjectId
from gittrack.errors import SigningError
from gittrack.git.program import last_complaint, start_git
from gittrack.git.trees import is_signature_header, parse_commit

if TYPE_CHECKING:
    from gittrack.git.repository import Repository

_SETTINGS = (
    *("-c", "i18n.commitEncoding=UTF-8"),  # another one would be named in the commit, and the text be taken for it
    *("-c", "core.fsync=loose-object"),
    *("-c", "core.fsyncMethod=fsync"),
)
_UNSIGNED = ObjectId("0" * 40)
"""What the commit that is signed is called in messages: it is never stored."""
_LAST_WORDS = "fatal: failed to write commit object"
_MENDS = (
    (("agent", "no private key found", "incorrect passphrase supplied to decrypt"), "ssh-add"),
    (("no pinentry", "inappropriate ioctl", "pinentry"), "export GPG_TTY=$(tty)"),
    (("gpg failed", "no secret key", "cannot run", "gpgsm failed"), "git config user.signingKey KEY"),
    (("signingkey", "load key", "no such file", "invalid format"), "git config user.signingKey KEY"),
)
"""What git's words tell, and the command that mends it."""


def sign_commit(repo: Repository, commit: bytes) -> bytes:
    """Sign a commit as git is set to (``gpg.format``, ``user.signingKey``, …), with whatever agent the user has.

    Git may ask for a passphrase, as it does for the user's own commits; where there is no terminal it fails instead.

    Args:
        repo: where the commit's tree and parents are stored, and whose settings count.
        commit: its bytes, as :func:`gittrack.git.trees.format_commit` makes them.

    Returns:
        The same bytes with the signature in the header. They are stored as well; no ref names them yet.

    Raises:
        SigningError: git could not sign it: no key, an agent that is locked, a program that is missing.
        GitProgramError: git is not installed.
    """
    found = parse_commit(_UNSIGNED, commit)
    who, moment = found.author, f"{found.author_time} +0000"
    parents = [word for parent in found.parents for word in ("-p", parent)]
    work_tree = repo.work_tree if repo.work_tree is not None and repo.work_tree.is_dir() else None
    process = start_git(
        [*_SETTINGS, "commit-tree", "-S", *parents, found.tree],
        cwd=work_tree or repo.git_dir,  # relative paths of keys count from there, as in the user's own commits
        git_dir=repo.git_dir,
        work_tree=work_tree,
        env={
            "GIT_AUTHOR_NAME": who.name,
            "GIT_AUTHOR_EMAIL": who.email,
            "GIT_AUTHOR_DATE": f"@{moment}",
            "GIT_COMMITTER_NAME": who.name,
            "GIT_COMMITTER_EMAIL": who.email,
            "GIT_COMMITTER_DATE": f"@{moment}",
        },
        takes_input=True,
        as_user=True,  # what asks for a passphrase speaks to the user
    )
    try:
        output, messages = process.communicate(commit.partition(b"\n\n")[2])
    except BaseException:  # an interrupt must not leave git, or the program that asks for a passphrase, behind our back
        process.kill()
        process.communicate()
        raise
    if process.returncode:
        raise _failure(messages.decode("utf-8", "replace"))
    signed = repo.objects.read_commit_bytes(ObjectId(output.decode("ascii", "replace").strip()))
    if without_signature(signed) != commit or signed == commit:
        raise SigningError("git signed another commit than it was given", hint="git --version")
    return signed


def without_signature(commit: bytes) -> bytes:
    """A commit's bytes without the signatures in its header."""
    head, blank, message = commit.partition(b"\n\n")
    kept, drops = [], False
    for line in head.split(b"\n"):
        drops = drops if line.startswith(b" ") else is_signature_header(line.partition(b" ")[0])
        if not drops:
            kept.append(line)
    return b"\n".join(kept) + blank + message


def _failure(messages: str) -> SigningError:
    lines = [line for line in messages.splitlines() if line.strip() and line.strip() != _LAST_WORDS]
    said = last_complaint("\n".join(lines)).rstrip("?.! ") or "it gives no reason"
    words = "\n".join(lines).lower()
    mend = next((mend for signs, mend in _MENDS if any(sign in words for sign in signs)), None)
    first = mend or "git config --get-regexp 'gpg|signingkey'"
    return SigningError(
        f"git is set to sign, and could not: {said}",
        hint=f"{first}; unsigned, once: --no-sign, always: git config gittrack.sign false",
    )
