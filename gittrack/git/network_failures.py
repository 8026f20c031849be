"""What git says when a remote does not do what was asked, in our words: what failed, and the command that mends it."""

from __future__ import annotations

from typing import NamedTuple

from gittrack.core.redact import redact_text
from gittrack.errors import AuthenticationError, NoRemoteError, RefusedTransferError, RemoteError
from gittrack.git.program import last_complaint


class _Sign(NamedTuple):
    """Words of git or a server, the error they mean, and its hint."""

    words: tuple[str, ...]
    error: type[RemoteError]
    text: str
    hint: str


_SIGNS = (
    _Sign(
        ("No such remote", "does not appear to be a git repository", "No configured push destination"),
        NoRemoteError,
        "there is no remote '{remote}', or no repository at it",
        "git remote -v",
    ),
    _Sign(
        ("could not read Username", "could not read Password", "Authentication failed", "terminal prompts disabled",
         "HTTP Basic: Access denied", "Invalid username or password", "Permission denied (publickey",
         "The requested URL returned error: 401", "invalid credentials"),
        AuthenticationError,
        "remote '{remote}' wants you to sign in: {said}",
        "git ls-remote {remote}",
    ),
    _Sign(
        ("The requested URL returned error: 403", "access denied", "denied to", "not allowed to push", "protected"),
        AuthenticationError,
        "remote '{remote}' does not allow this: {said}",
        "ask whoever owns it for access",
    ),
    _Sign(
        ("Host key verification failed",),
        RemoteError,
        "the ssh key of remote '{remote}' is not the known one",
        "git ls-remote {remote}",
    ),
    _Sign(
        ("Could not resolve host", "Could not resolve hostname", "Connection refused", "Connection timed out",
         "Network is unreachable", "No route to host", "Failed to connect", "unable to connect", "timed out"),
        RemoteError,
        "remote '{remote}' cannot be reached: {said}",
        "gittrack status --offline",
    ),
    _Sign(
        ("repository not found", "Repository not found", "not found", "Could not read from remote repository",
         "does not exist"),
        RemoteError,
        "remote '{remote}' has no such repository, or does not show it to you: {said}",
        "git remote -v",
    ),
    _Sign(
        ("transport 'ext' not allowed", "not allowed"),
        RemoteError,
        "remote '{remote}' is of a kind that is not used: {said}",
        "git remote -v",
    ),
    _Sign(
        ("early EOF", "hung up unexpectedly", "RPC failed", "unexpected disconnect", "Broken pipe", "reset by peer"),
        RemoteError,
        "the connection to remote '{remote}' broke: {said}",
        "repeat the command: what was sent is not sent twice",
    ),
    _Sign(
        ("error: object ", "fsck error", "fsckObjects", "index-pack failed", "bad object", "malformed"),
        RefusedTransferError,
        "remote '{remote}' sent what git refuses: {said}",
        "gittrack remote check {remote}",
    ),
)  # fmt: skip


def remote_failure(remote: str, messages: str, otherwise: str) -> RemoteError:
    """The error for what git said.

    Args:
        remote: as the caller named it.
        messages: git's messages, the last ones.
        otherwise: what to say when there are none.
    """
    remote = redact_text(remote)
    for sign in _SIGNS:
        if any(words in messages for words in sign.words):
            said = redact_text(_line_of(sign, messages))
            return sign.error(sign.text.format(remote=remote, said=said), hint=sign.hint.format(remote=remote))
    said = redact_text(last_complaint(messages) or otherwise)
    return RemoteError(f"remote '{remote}': {said}", hint=f"git ls-remote {remote}")


def _line_of(sign: _Sign, messages: str) -> str:
    """The line that says it, without git's own first word."""
    lines = messages.split("\n")
    line = next(line for words in sign.words for line in lines if words in line)
    return line.strip().removeprefix("remote: ").removeprefix("fatal: ").removeprefix("error: ")
