"""The network, by the user's own ``git``: its credentials, its ssh configuration, its proxies, its hooks.

Never ``+``, never force but with an explicit lease; nothing of the user's refs, tags or ``FETCH_HEAD`` is touched.
"""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO, TYPE_CHECKING, NamedTuple

from gittrack.config import read_process
from gittrack.core.ids import ObjectId, RefName
from gittrack.core.redact import redact_url
from gittrack.core.refs import REMOTE_PREFIX
from gittrack.errors import InvalidNameError, RemoteError
from gittrack.git.discovery import is_found_from
from gittrack.git.network_failures import push_failure, ref_in_the_way, remote_failure
from gittrack.git.partial_clones import is_partial, left_out, settings_of_fetch, whole_filter
from gittrack.git.program import start_git

if TYPE_CHECKING:
    from gittrack.git.repository import Repository

Told = Callable[[str], None]
"""Gets each line of git's progress and of what the server says, control characters and all."""

_NO_PROGRAMS = ("-c", "protocol.ext.allow=never")
"""A URL may not name a program."""
_SETTINGS = (
    *_NO_PROGRAMS,
    *("-c", "fetch.recurseSubmodules=false"),
    *("-c", "fetch.prune=false"),
    *("-c", "fetch.pruneTags=false"),
    *("-c", "transfer.fsckObjects=true"),
    *("-c", "fetch.fsckObjects=true"),
    *("-c", "gc.auto=0"),
    *("-c", "maintenance.auto=false"),
)
_REF = re.compile(r"refs/[^\x00-\x20\x7f~^:?*\[\\]{1,400}")
_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_LAST_LINES = 200


class RemoteRef(NamedTuple):
    """A ref at a remote, and what it points at."""

    name: str
    tip: ObjectId


class PushedRef(NamedTuple):
    """What became of one pushed ref.

    Attributes:
        name: at the remote.
        accepted: it is there now.
        behind: it was refused because the remote has something newer.
        reason: git's or the server's words when it was refused.
        in_the_way: a ref there that is above or below it, so that both cannot be; empty when there is none.
    """

    name: str
    accepted: bool
    behind: bool = False
    reason: str = ""
    in_the_way: str = ""


def list_remote(repo: Repository, remote: str, patterns: Sequence[str]) -> list[RemoteRef]:
    """The refs of a remote that match some patterns; names and ids that are none are left out.

    Args:
        repo: whose configuration names the remote.
        remote: its name, or a URL or path.
        patterns: as ``git ls-remote`` takes them (``refs/runs/*``).

    Raises:
        AuthenticationError, NoRemoteError, RemoteError: it cannot be reached, or refuses.
    """
    answer = _run(repo, remote, [*_SETTINGS, "ls-remote", "--end-of-options", remote, *patterns], None)
    found = []
    for line in answer.output.decode("utf-8", "replace").split("\n"):
        tip, tab, name = line.partition("\t")
        if tab and _ID.fullmatch(tip) and _REF.fullmatch(name):
            found.append(RemoteRef(name, ObjectId(tip)))
    return found


def fetch_refs(
    repo: Repository,
    remote: str,
    pairs: Sequence[tuple[str, str]],
    *,
    depth: int | None = None,
    told: Told | None = None,
) -> None:
    """Fetch refs of a remote into refs here, which nobody but the caller knows; they are overwritten.

    Args:
        repo: where to.
        remote: its name, or a URL or path.
        pairs: each a ref there and the ref here.
        depth: so many commits of each, in a shallow clone; None: all.
        told: progress.

    Raises:
        AuthenticationError, NoRemoteError, RemoteError: it cannot be reached, refuses, or sends what git refuses.
    """
    args = [
        *_SETTINGS,
        "fetch",
        "--no-tags",
        "--no-write-fetch-head",
        "--no-auto-maintenance",
        "--no-recurse-submodules",
        whole_filter(repo),  # in a partial clone too: a run is read whole
        "--refmap=",  # the user's own remote-tracking branches are not moved beside
        "--stdin",
    ]
    if depth is not None:
        args.append(f"--depth={depth}")
    args += ["--progress"] if told else ["--quiet"]
    # The refs here are scratch, so what another fetch left there may be overwritten.
    lines = "".join(f"+{_checked(there)}:{_checked(here)}\n" for there, here in pairs)
    settings = settings_of_fetch(repo, remote)
    _run(repo, remote, [*args, "--end-of-options", remote], told, input=lines.encode(), settings=settings)
    if is_partial(repo):
        _complete(repo, remote, [here for _, here in pairs], told)


def _complete(repo: Repository, remote: str, names: Sequence[str], told: Told | None) -> None:
    """Have git fetch what the server took to be here, all at once, as it packs it to nowhere.

    What cannot be had is found missing when the runs are checked, and said there.
    """
    tips = [tip for name in names if (tip := repo.refs.get(RefName(name))) is not None]
    known = [tip for _, tip in repo.refs.list(REMOTE_PREFIX)]
    before: list[ObjectId] = []
    while (ids := left_out(repo, tips, known)) and ids != before:
        before = ids
        try:
            args = [*_SETTINGS, "pack-objects", "-q", "--stdout"]
            _run(repo, remote, args, told, input="\n".join([*ids, ""]).encode())
        except RemoteError:
            return


def push_ref(
    repo: Repository,
    remote: str,
    commit: ObjectId | None,
    name: str,
    *,
    lease: str | None = None,
    told: Told | None = None,
) -> PushedRef:
    """Push one commit to one ref of a remote, as a fast-forward.

    Args:
        repo: where from.
        remote: its name, or a URL or path.
        commit: what the ref shall point at; None deletes it.
        name: the ref there.
        lease: what the ref must be now (an id; ``""``: it must not exist); only then it may also go backwards.
        told: progress.

    Returns:
        Whether it is there; a refusal of the server is an answer, not an error.

    Raises:
        AuthenticationError, NoRemoteError, RemoteError: it cannot be reached, or broke off.
    """
    args = [*_push_settings(repo), "push", "--porcelain", "--no-signed", "--no-follow-tags", "--recurse-submodules=no"]
    args.append("--progress" if told else "--no-progress")
    if lease is not None:
        args.append(f"--force-with-lease={_checked(name)}:{lease}")
    source = "" if commit is None else str(commit)
    refspec = f"{source}:{_checked(name)}"
    answer = _run(repo, remote, [*args, "--end-of-options", remote, refspec], told, refusals=True)
    found, place = [], ""
    for line in answer.output.decode("utf-8", "replace").split("\n"):
        flag, _, rest = line.partition("\t")
        if line.startswith("To "):
            place = redact_url(line[3:])
        elif len(flag) == 1 and rest.startswith((f"{source}:{name}\t", f"(delete):{name}\t", f":{name}\t")):
            found.append((place, _pushed(name, flag, rest, answer.messages)))
    if not found or (answer.code and all(pushed.accepted for _, pushed in found)):
        raise push_failure(remote, answer.messages, answer.output.decode("utf-8", "replace"))
    return _of_all(found)


def _push_settings(repo: Repository) -> list[str]:
    """Only those that are needed: a setting given so is handed on to the user's hooks, and to every git they start."""
    config = repo.config()
    settings = list(_NO_PROGRAMS) if {"protocol.allow", "protocol.ext.allow"} & config.keys() else []
    if "push.pushoption" in config:  # meant for branches, and an error where the server takes none
        settings += ["-c", "push.pushOption="]
    return settings


def _of_all(found: Sequence[tuple[str, PushedRef]]) -> PushedRef:
    """One answer of a remote with several places to push to: all must have taken it."""
    refused = [(place, pushed) for place, pushed in found if not pushed.accepted]
    if not refused:
        return found[0][1]
    place, pushed = refused[0]
    if len(found) == 1:
        return pushed
    if len(refused) == len(found):
        return pushed._replace(behind=all(each.behind for _, each in refused))
    took = ", ".join(place for place, each in found if each.accepted)
    reason = f"{pushed.reason} (said {place}; {took} took it)"
    return pushed._replace(behind=False, reason=reason)


def _pushed(name: str, flag: str, rest: str, messages: str) -> PushedRef:
    if flag != "!":
        return PushedRef(name, accepted=True)
    summary = rest.partition("\t")[2] or rest
    reason = summary.partition("(")[2].rpartition(")")[0] or summary
    if other := ref_in_the_way(name, messages):
        return PushedRef(name, accepted=False, reason=reason, in_the_way=other)
    behind = any(word in summary for word in ("fetch first", "non-fast-forward", "stale info", "already exists"))
    # Somebody moved it between the server's listing and its update: the same, told in other words.
    behind = behind or any(
        word in summary for word in ("cannot lock ref", "failed to update ref", "incorrect old value")
    )
    return PushedRef(name, accepted=False, behind=behind, reason=reason)


def _checked(name: str) -> str:
    if not _REF.fullmatch(name) or ".." in name:
        raise InvalidNameError(f"'{name[:80]}' is not the name of a ref")
    return name


class _Answer(NamedTuple):
    """What git said, on its standard output and beside it, and the code it ended with."""

    output: bytes
    messages: str
    code: int


def _run(
    repo: Repository,
    remote: str,
    args: Sequence[str],
    told: Told | None,
    *,
    input: bytes | None = None,
    refusals: bool = False,
    settings: Mapping[str, str] | None = None,
) -> _Answer:
    """Run a command that speaks with a remote. ``refusals``: that it ends with 1 is an answer.

    It runs at the top of the work tree, as the user's own command there would: relative paths of remotes and of
    ``core.hooksPath`` count from it. And it finds the repository by itself where it can, as there: a hook whose
    ``GIT_DIR`` is set would take every other repository that it goes to for this one.
    """
    work_tree = repo.work_tree if repo.work_tree is not None and repo.work_tree.is_dir() else None
    is_found = work_tree is not None and is_found_from(work_tree, repo.git_dir)
    process = start_git(
        args,
        cwd=work_tree or repo.git_dir,
        git_dir=None if is_found else repo.git_dir,
        work_tree=None if is_found else work_tree,
        env=_asking() | _configured(_no_mirror(repo, remote) | dict(settings or {})),
        takes_input=input is not None,
        as_user=True,
    )
    try:
        output, messages = _communicate(process, input, told)
    except BaseException:  # an interrupt must not leave git running behind our back
        process.kill()
        process.wait()
        raise
    if process.returncode == 0 or (refusals and process.returncode == 1):
        return _Answer(output, messages, process.returncode)
    raise remote_failure(remote, messages, f"git ended with {process.returncode}")


def _no_mirror(repo: Repository, remote: str) -> dict[str, str]:
    """A remote that is set up as a mirror takes no single refs, and would lose all others."""
    key = f"remote.{remote}.mirror"
    return {} if repo.config().get(key) is None else {key: "false"}


def _configured(settings: Mapping[str, str]) -> dict[str, str]:
    """Settings of git by the environment, as ``-c`` cannot name a remote with an equals sign."""
    if not settings:
        return {}
    count = read_process().environ.get("GIT_CONFIG_COUNT", "")
    first = int(count) if count.isdecimal() else 0
    found = {"GIT_CONFIG_COUNT": str(first + len(settings))}
    for number, (key, value) in enumerate(settings.items(), first):
        found |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return found


def _asking() -> dict[str, str]:
    """Git may ask for a password where somebody sits at a terminal."""
    return {"GIT_TERMINAL_PROMPT": "1"} if sys.stdin is not None and sys.stdin.isatty() else {}


def _communicate(process: subprocess.Popen[bytes], input: bytes | None, told: Told | None) -> tuple[bytes, str]:
    lines: list[str] = []
    assert process.stdout is not None
    assert process.stderr is not None
    reader = threading.Thread(target=_read_messages, args=(process.stderr, lines, told), daemon=True)
    reader.start()
    if input is not None:
        assert process.stdin is not None
        try:
            process.stdin.write(input)
            process.stdin.close()
        except BrokenPipeError:
            pass  # it has ended already, and says why
    with process.stdout, process.stderr:
        output = process.stdout.read()
        process.wait()
        reader.join()
    return output, "\n".join(lines)


def _read_messages(stream: IO[bytes], lines: list[str], told: Told | None) -> None:
    for line in _lines(stream):
        lines.append(line)
        del lines[:-_LAST_LINES]
        if told is not None:
            told(line)


def _lines(stream: IO[bytes]) -> Iterator[str]:
    """Lines as they come; progress ends them with a carriage return."""
    waiting = b""
    while chunk := stream.read1(4096):  # type: ignore[attr-defined]
        *whole, waiting = re.split(rb"[\r\n]", waiting + chunk)
        waiting = waiting[-4096:]
        yield from (line.decode("utf-8", "replace") for line in whole if line.strip())
    if waiting.strip():
        yield waiting.decode("utf-8", "replace")
