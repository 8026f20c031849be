"""What git says when a remote does not do what was asked, in our words: what failed, and the command that mends it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from gittrack.core.redact import redact_text, redact_url
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
        ("early EOF", "hung up unexpectedly", "RPC failed", "unexpected disconnect", "Broken pipe", "reset by peer",
         "sideband demultiplexer"),
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


_SERVERS_WORDS = _SIGNS[1:3] + _SIGNS[5:6]
"""What is believed of the words that a server sends along: who may do what, and what is not there."""
_OWN = re.compile(
    r"(?:fatal|error|ssh|warning|kex_exchange_identification): |Host key verification failed|Permission denied \("
    r"|\S+: Permission denied \(|Connection (?:closed|reset|timed out)"
)
_SERVER = re.compile(r"\s*(?:remote: |ERROR: )")
_QUOTED = re.compile(r"'[^']*/[^']*'")  # a URL or a path, whose words say nothing
_FAILED = "error: failed to push some refs to "
_BROKE = ("error: error in sideband demultiplexer", "send-pack: unexpected disconnect")
_IN_THE_WAY = re.compile(r"': '(refs/.{1,400}?)' exists; cannot create '")


def remote_failure(remote: str, messages: str, otherwise: str) -> RemoteError:
    """The error for what git said.

    What kind of failure it is, is told by git's own lines and those of ssh, then by the server's; the words of hooks
    and credential helpers are nobody's.

    Args:
        remote: as the caller named it.
        messages: git's messages, the last ones.
        otherwise: what to say when there are none.
    """
    shown = redact_text(redact_url(remote))
    lines = [line.strip() for line in messages.split("\n")]
    own = [line for line in lines if _OWN.match(line)]
    said = _sign_in(_SIGNS, own) or _sign_in(_SERVERS_WORDS, [line for line in lines if _SERVER.match(line)])
    if said is not None:
        sign, line = said
        return sign.error(sign.text.format(remote=shown, said=_plain(line)), hint=sign.hint.format(remote=shown))
    words = redact_text(last_complaint("\n".join(own) or messages) or otherwise)
    return RemoteError(f"remote '{shown}': {words}", hint=f"git ls-remote {shown}")


def push_failure(remote: str, messages: str, output: str) -> RemoteError:
    """The error for a push of which git does not say what became of the ref.

    It ends so when the hook ``pre-push`` of the clone refuses: then nothing was sent. And when the program at the other
    end is killed: then git's last words are of the connection, and come after all that a hook said.

    Args:
        remote: as the caller named it.
        messages: git's messages, the last ones.
        output: its standard output, where git 2.39 lets the hook speak, too.
    """
    lines = [line.strip() for line in messages.split("\n") if line.strip()]
    broke = any(line.startswith(_BROKE) for line in lines[-3:])
    if (
        broke
        or any(line.startswith("fatal: ") for line in lines)
        or not any(line.startswith(_FAILED) for line in lines)
    ):
        return remote_failure(remote, messages, "git did not say what became of the push")
    words = [line for line in lines if not line.startswith((_FAILED, "hint: "))]
    words = words or [line.strip() for line in output.split("\n") if line.strip() and "\t" not in line]
    said = redact_text(words[-1]) if words else "it gives no reason"
    text = f"a hook of this clone refused (pre-push): {said}"
    return RemoteError(text, hint="git rev-parse --git-path hooks/pre-push")


def ref_in_the_way(name: str, messages: str) -> str:
    """The ref that a server names as the one above or below a pushed ref, so that both cannot be; empty for none.

    Args:
        name: of the pushed ref.
        messages: git's, with the server's.
    """
    for found in _IN_THE_WAY.findall(messages):
        if found.startswith(f"{name}/") or name.startswith(f"{found}/"):
            return str(found)
    return ""


def _sign_in(signs: Sequence[_Sign], lines: Sequence[str]) -> tuple[_Sign, str] | None:
    """The first sign that a line has, and the line."""
    plain = [(line, _QUOTED.sub("''", line)) for line in lines]
    for sign in signs:
        for words in sign.words:
            for line, text in plain:
                if words in text:
                    return sign, line
    return None


def _plain(line: str) -> str:
    """A line without git's own first word, and without what logs in."""
    return redact_text(re.sub(r"\A(?:remote|fatal|error|ERROR): ", "", line))
