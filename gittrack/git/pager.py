"""Which pager git would use, where that is the user's own choice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gittrack.errors import GitProgramError
from gittrack.git.program import run_git

if TYPE_CHECKING:
    from gittrack.git.repository import Repository

_DEFAULT = "less"
_NONE = ("", "cat")
_NOT_SET, _TOO_OLD = 1, 129
_OF_THE_REPOSITORY = frozenset({"local", "worktree"})
_TRUTHS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def pager_for_diff(repo: Repository, environ: Mapping[str, str]) -> str:
    """The command that ``git diff`` would show its output with; empty for none.

    ``GIT_PAGER``, then ``pager.diff``, ``core.pager``, ``PAGER``, then ``less``, as in git; but a pager that the
    repository's own configuration names is not run: it comes with whatever archive the repository was unpacked from.

    Args:
        repo: whose configuration counts, beside that of the user and the system.
        environ: environment variables.
    """
    if environ.get("TERM") == "dumb":
        return ""
    settings = _settings(repo)
    of_diff = settings.get("pager.diff", "")
    wanted = _TRUTHS.get(of_diff.lower())
    if wanted is False:
        return ""
    named = of_diff if of_diff and wanted is None else settings.get("core.pager")
    candidates = (environ.get("GIT_PAGER"), named, environ.get("PAGER"), _DEFAULT)
    pager = next(candidate for candidate in candidates if candidate is not None)
    return "" if pager in _NONE else pager


def _settings(repo: Repository) -> dict[str, str]:
    try:
        said = run_git(
            ["config", "--show-scope", "-z", "--get-regexp", r"^(core\.pager|pager\.diff)$"],
            cwd=repo.git_dir,
            git_dir=repo.git_dir,
            ok_codes=(0, _NOT_SET, _TOO_OLD),  # git tells scopes since 2.26
        )
    except GitProgramError:
        return {}  # a configuration that git cannot read is complained of where it matters
    parts = said.decode("utf-8", "replace").split("\0")[:-1]
    settings = {}
    for scope, setting in zip(parts[::2], parts[1::2], strict=False):
        key, _, value = setting.partition("\n")
        if scope not in _OF_THE_REPOSITORY:
            settings[key] = value
    return settings
