"""Every error gittrack raises on purpose, and the exit code each maps to.

::

    GittrackError(message, hint=None)              exit 1
    ├─ UsageError                                  exit 2
    │  ├─ InvalidNameError                         a run, experiment, metric or param name against the grammar
    │  ├─ InvalidValueError                        a value that cannot be stored
    │  └─ QuerySyntaxError                         a query against the grammar; carries the place
    ├─ RepositoryError                             exit 1
    │  ├─ NotARepositoryError                      no git repository around the directory
    │  ├─ UnsupportedRepositoryError               SHA-256 or reftable, which libgit2 cannot open
    │  ├─ GitProgramError                          the user's git ended with an error
    │  └─ StorageError                             an object or ref could not be stored (full disk, permission)
    ├─ NotFoundError                               exit 3
    │  ├─ RunNotFoundError
    │  │  └─ RunExpungedError                      it was expunged, and is hidden as long as it lies here
    │  ├─ ExperimentNotFoundError
    │  └─ ArtifactNotFoundError
    ├─ AmbiguousError                              exit 3; carries what matched
    ├─ ConflictError                               exit 5
    │  ├─ RefMovedError                            a compare-and-swap on a ref was lost
    │  ├─ RunActiveError                           the run is being written by a live process
    │  └─ ParamConflictError                       a param set to another value while strict
    ├─ FormatError                                 exit 6
    │  ├─ UnsupportedFormatError                   written by a newer gittrack
    │  └─ CorruptRecordError                       bytes that do not follow docs/format.md
    ├─ RemoteError                                 exit 1; a place elsewhere: not reachable, full, not set up
    │  ├─ NoRemoteError                            none is set up
    │  ├─ RefusedTransferError                     exit 6; what it sent is not what git takes
    │  └─ AuthenticationError                      exit 4; it wants other credentials
    └─ MissingDependencyError                      exit 1; an optional package, with the pip command

Messages are lower case, the subject in quotes, the cause first, no full stop. The hint is a command to run.
They are caught in one place, ``gittrack/cli/main.py``; pygit2's and the operating system's errors are translated
where they occur and never leave their package.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class GittrackError(Exception):
    """Base of every error raised on purpose.

    Args:
        message: what failed, lower case, subject in quotes, no full stop.
        hint: a command, or a short sentence, that mends it.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(GittrackError):
    """The caller asked for something that has no meaning."""

    exit_code = 2


class InvalidNameError(UsageError):
    """A name does not follow its grammar."""


class InvalidValueError(UsageError):
    """A value cannot be stored as what it was given for."""


class QuerySyntaxError(UsageError):
    """A query does not follow the language of ``docs/how-to/search.md``.

    Args:
        message: what is wrong, one line.
        position: of the character in the query where it is, from 0.
        excerpt: two lines: the query around the place, and a caret below it. Nothing in it can harm a terminal.
    """

    def __init__(self, message: str, *, position: int = 0, excerpt: str = "", hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.position = position
        self.excerpt = excerpt

    def __str__(self) -> str:
        shown = "\n".join(f"  {line}" for line in self.excerpt.splitlines())
        lines = [self.message, *([shown] if shown else []), *([f"  {self.hint}"] if self.hint else [])]
        return "\n".join(lines)


class CommandNotFoundError(UsageError):
    """There is no such command to run. The exit code is that of shells, ``env`` and ``timeout``."""

    exit_code = 127


class CommandNotExecutableError(UsageError):
    """The command to run is there and cannot be executed. The exit code is that of shells, ``env`` and ``timeout``."""

    exit_code = 126


class RepositoryError(GittrackError):
    """The git repository cannot do what was asked."""


class NotARepositoryError(RepositoryError):
    """There is no git repository here."""


class UnsupportedRepositoryError(RepositoryError):
    """The repository uses a format that libgit2 cannot open."""


class GitProgramError(RepositoryError):
    """The user's ``git`` program ended with an error."""


class SigningError(RepositoryError):
    """Git is set to sign what is said, and could not; nothing was written."""


class StorageError(RepositoryError):
    """Bytes could not be stored: full disk, missing permission, an object git did not keep."""


class NotFoundError(GittrackError):
    """Nothing answers to the name given."""

    exit_code = 3


class RunNotFoundError(NotFoundError):
    """No run answers to the address given."""


class RunExpungedError(RunNotFoundError):
    """The run was expunged, and is hidden as long as something of it lies here."""


class ExperimentNotFoundError(NotFoundError):
    """No experiment has the name or id given."""


class ArtifactNotFoundError(NotFoundError):
    """The run has no artifact at the path given."""


class AmbiguousError(GittrackError):
    """An address matches several things.

    Args:
        matches: the full ids that matched.
    """

    exit_code = 3

    def __init__(self, message: str, *, matches: Sequence[str] = (), hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.matches = tuple(matches)


class ConflictError(GittrackError):
    """Somebody else changed what this change was based on."""

    exit_code = 5


class RefMovedError(ConflictError):
    """A compare-and-swap on a ref was lost."""


class RunActiveError(ConflictError):
    """A live process is writing this run."""


class ParamConflictError(ConflictError):
    """A param already has another value, and strict mode is on."""


class FormatError(GittrackError):
    """Stored bytes do not follow the format."""

    exit_code = 6


class UnsupportedFormatError(FormatError):
    """The bytes were written by a newer gittrack."""


class CorruptRecordError(FormatError):
    """The bytes are damaged."""


class RemoteError(GittrackError):
    """A place elsewhere cannot do what was asked: it is not reachable, full, or not set up."""


class NoRemoteError(RemoteError):
    """No place elsewhere is set up."""


class RefusedTransferError(RemoteError):
    """What a remote sent is damaged or hostile, and git refused it."""

    exit_code = 6


class AuthenticationError(RemoteError):
    """A place elsewhere wants credentials, or other ones."""

    exit_code = 4


class MissingDependencyError(GittrackError):
    """An optional package is not installed."""


def kind_of(value: object) -> str:
    """The type of a value with its article by sound, for messages.

    >>> [kind_of(value) for value in (1, {}, object())]
    ['an int', 'a dict', 'an object']
    """
    name = type(value).__name__
    return f"an {name}" if name[:1].lower() in "aeio" or name.startswith("nd") else f"a {name}"
