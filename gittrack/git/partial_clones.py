"""Partial clones (``git clone --filter=…``): runs are read whole, by a library that cannot fetch what is left out.

Two things go wrong with a plain fetch there. Git checks the links of what arrives, and dies of code whose files were
left out. And the server leaves out what it takes to be here, such as a file that a run and the code have alike.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from gittrack.core.ids import ObjectId
from gittrack.git.program import run_git

if TYPE_CHECKING:
    from gittrack.git.repository import Repository

_EVERYTHING = "blob:limit=1g"
"""A filter that leaves out nothing of a run; with one, git checks objects alone and not what they link to."""
_MOST_LEFT_OUT = 10_000
"""More is not what runs and code have alike: who sent it names what is nowhere."""


def is_partial(repo: Repository) -> bool:
    """Whether files or folders of the code were left out when this was cloned."""
    return any(
        key == "extensions.partialclone" or (key.startswith("remote.") and key.endswith(".promisor"))
        for key in repo.config()
    )


def whole_filter(repo: Repository) -> str:
    """The option of ``git fetch`` with which runs arrive whole."""
    return f"--filter={_EVERYTHING}" if is_partial(repo) else "--no-filter"


def settings_of_fetch(repo: Repository, remote: str) -> dict[str, str]:
    """Settings for one fetch: else git would write into the user's configuration that the remote has a filter."""
    if not is_partial(repo):
        return {}
    return {f"remote.{remote}.promisor": "true", f"remote.{remote}.partialclonefilter": _EVERYTHING}


def left_out(repo: Repository, tips: Iterable[ObjectId], known: Iterable[ObjectId]) -> list[ObjectId]:
    """What is not here of the runs that ledgers list.

    Args:
        repo: a partial clone.
        tips: of the ledgers.
        known: ledgers that were whole before.

    Raises:
        GitProgramError: a commit is missing.
    """
    said = "".join(f"{tip}\n" for tip in tips) + "".join(f"^{tip}\n" for tip in known)
    lines = _lines(repo, ["rev-list", "--first-parent", "--parents", "--stdin"], said)
    cut_off = repo.cut_off()
    commits = [id for line in lines for id in (line.split() if line.split()[0] not in cut_off else ())]
    if not commits:
        return []
    args = ["rev-list", "--objects", "--no-walk", "--missing=print", "--stdin"]
    found = _lines(repo, args, "\n".join([*commits, ""]))
    return [ObjectId(line[1:]) for line in found if line.startswith("?")][:_MOST_LEFT_OUT]


def _lines(repo: Repository, args: list[str], said: str) -> list[str]:
    output = run_git(args, cwd=repo.git_dir, git_dir=repo.git_dir, input=said.encode())
    return [line for line in output.decode("utf-8", "replace").split("\n") if line]
