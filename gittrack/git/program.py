"""Running the user's ``git``: no shell, no prompt, no optional locks, messages untranslated, errors translated.

The environment is handed on as it is, but for what names another repository, index or object store than ours: a
hook's git sets these, and some stay set in a shell.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from gittrack.config import read_process
from gittrack.errors import GitProgramError, StorageError

_QUIET = (("LC_ALL", "C"), ("GIT_TERMINAL_PROMPT", "0"), ("GIT_OPTIONAL_LOCKS", "0"))
_OF_A_USER = (("LANGUAGE", "en"), ("GIT_TERMINAL_PROMPT", "0"))
"""Untranslated as well: there are no catalogues of that language. The character set stays what it is."""
_OF_ANOTHER_REPOSITORY = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_COMMON_DIR", "GIT_DIR", "GIT_GRAFT_FILE", "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE", "GIT_NAMESPACE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX", "GIT_QUARANTINE_PATH",
    "GIT_REPLACE_REF_BASE", "GIT_SHALLOW_FILE", "GIT_WORK_TREE",
)  # fmt: skip
"""What ``git rev-parse --local-env-vars`` lists, but for settings (``GIT_CONFIG_PARAMETERS``, …), which are the user's:
``git -c safe.directory=… track`` hands them on so. And what git sets for the hooks of a push."""
_INSTALL_HINT = "install git: https://git-scm.com/downloads"
_UNSTORABLE = ("No space left on device", "Disk quota exceeded", "Permission denied", "Read-only file system",
               "insufficient permission for adding")  # fmt: skip


def run_git(
    args: Sequence[str],
    *,
    cwd: Path,
    git_dir: Path | None = None,
    work_tree: Path | None = None,
    env: Mapping[str, str] | None = None,
    input: bytes | None = None,
    ok_codes: Sequence[int] = (0,),
) -> bytes:
    """Run one git command to its end.

    Args:
        args: what follows ``git``, options such as ``-c`` included.
        cwd: where it runs.
        git_dir: ``--git-dir``; without it git searches from ``cwd``.
        work_tree: ``--work-tree``.
        env: variables laid on top of this process's.
        input: bytes for its standard input, which is empty otherwise.
        ok_codes: exit codes that are no failure.

    Returns:
        Its standard output.

    Raises:
        GitProgramError: git ended with another code, or is not installed.
        StorageError: git could not write, for lack of space or permission.
    """
    process = start_git(args, cwd=cwd, git_dir=git_dir, work_tree=work_tree, env=env, takes_input=input is not None)
    return finish_git(process, input=input, ok_codes=ok_codes)


def start_git(
    args: Sequence[str],
    *,
    cwd: Path,
    git_dir: Path | None = None,
    work_tree: Path | None = None,
    env: Mapping[str, str] | None = None,
    takes_input: bool = False,
    as_user: bool = False,
) -> subprocess.Popen[bytes]:
    """Start a git command and return at once; :func:`finish_git` waits for it. Arguments as of :func:`run_git`.

    ``as_user``: hooks may run. Git finds the repository from ``cwd``, and what it hands on to a hook is what it hands
    on when the user types the command: neither ``GIT_DIR`` where it does not set it itself, nor our locale.
    """
    command = ["git"]
    if git_dir is not None:
        command.append(f"--git-dir={git_dir}")
    if work_tree is not None:
        command.append(f"--work-tree={work_tree}")
    command.extend(args)
    try:
        return subprocess.Popen(
            command,
            cwd=cwd,
            env=_environment(env or {}, _OF_A_USER if as_user else _QUIET, of_ours=as_user or git_dir is not None),
            stdin=subprocess.PIPE if takes_input else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except FileNotFoundError as error:
        if not cwd.is_dir():
            raise GitProgramError(f"directory '{cwd}' does not exist") from error
        raise GitProgramError("'git' is not installed or not on PATH", hint=_INSTALL_HINT) from error
    except OSError as error:
        raise GitProgramError(f"'git' cannot be started: {error.strerror}") from error


def _environment(changes: Mapping[str, str], quiet: tuple[tuple[str, str], ...], *, of_ours: bool) -> dict[str, str]:
    environment = dict(read_process().environ)
    if of_ours:
        for name in _OF_ANOTHER_REPOSITORY:
            environment.pop(name, None)
    environment.update(quiet)
    environment.update(changes)
    return environment


def finish_git(
    process: subprocess.Popen[bytes], *, input: bytes | None = None, ok_codes: Sequence[int] = (0,)
) -> bytes:
    """Wait for a command of :func:`start_git`; its standard output. Raises what :func:`run_git` raises."""
    try:
        output, messages = process.communicate(input)
    except BaseException:  # an interrupt must not leave git running behind our back
        process.kill()
        process.communicate()
        raise
    if process.returncode in ok_codes:
        return output
    raise _failure(process, messages.decode("utf-8", "replace"))


def _failure(process: subprocess.Popen[bytes], messages: str) -> GitProgramError | StorageError:
    said = last_complaint(messages) or f"it ended with {process.returncode}"
    name = _command_name(process.args)
    if any(cause in messages for cause in _UNSTORABLE):
        return StorageError(f"'git {name}' could not write: {said}")
    return GitProgramError(f"'git {name}' failed: {said}")


def last_complaint(messages: str) -> str:
    """The line of git's messages that says what went wrong: the last fatal or error line, else the last line."""
    lines = [line.strip() for line in messages.splitlines() if line.strip()]
    for line in reversed(lines):
        if line.startswith(("fatal: ", "error: ")):
            return line.partition(": ")[2]
    return lines[-1] if lines else ""


def _command_name(args: object) -> str:
    if not isinstance(args, list):
        return ""
    words = iter(args[args.index("git") + 1 :])
    for word in words:
        if word == "-c":
            next(words, None)
        elif not str(word).startswith("-"):
            return str(word)
    return ""
