"""Which artifact bytes are missing where: here, and at the place elsewhere that holds them for everybody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from gittrack.api.byte_storage import open_bytes_store
from gittrack.api.run_index import ask
from gittrack.errors import NoRemoteError, RemoteError
from gittrack.frozen import dataclass
from gittrack.index.details import stored_artifacts, waiting_for_details

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.index.database import IndexDatabase

_AT_ONCE = 2_000
"""Trees that are read without being asked to: a second's work."""


class Lack(NamedTuple):
    """Artifacts whose bytes are not in one place: how many, and how many bytes in all."""

    artifacts: int
    size: int


@dataclass(frozen=True, slots=True)
class MissingBytes:
    """What of the artifacts of all runs is missing where; those that are deleted are left out, and what was given up.

    Attributes:
        here: not in this clone.
        there: not at the place elsewhere; None: it was not asked.
        remote: that place, fit to be shown; empty when none is set up, or nobody asked.
        unreachable: why it could not be asked; empty otherwise.
    """

    here: Lack
    there: Lack | None = None
    remote: str = ""
    unreachable: str = ""


def missing_bytes(project: Project, *, remote: bool = False) -> MissingBytes | None:
    """Find out.

    Args:
        project: where.
        remote: ask the place elsewhere too, and read whatever must be read; else only what is quick.

    Returns:
        None when so many runs are new to the index that it would take its time.
    """
    stored = ask(project, lambda index: _stored(project, index, patient=remote))
    if stored is None:
        return None
    from gittrack.artifacts.given_up import read_given_up

    given_up = read_given_up(project.layout.root)
    meant = {digest: size for digest, size in stored.items() if digest not in given_up}
    store = open_bytes_store(project)
    here = _lack(meant, (digest for digest in meant if not store.has(digest)))
    return _asked(project, meant, here) if remote and meant else MissingBytes(here)


def _stored(project: Project, index: IndexDatabase, *, patient: bool) -> dict[str, int | None] | None:
    with index.reading() as sql:
        if not patient and waiting_for_details(sql, _AT_ONCE + 1) > _AT_ONCE:
            return None
    from gittrack.api.index_details import read_details

    read_details(project, index)
    with index.reading() as sql:
        return stored_artifacts(sql)


def _asked(project: Project, meant: Mapping[str, int | None], here: Lack) -> MissingBytes:
    from gittrack.api.artifact_transfer import open_project_remote, remote_name

    try:
        opened = open_project_remote(project)
        there = opened.present(meant)
    except NoRemoteError:
        return MissingBytes(here)
    except RemoteError as error:
        return MissingBytes(here, None, remote_name(project), error.message)
    return MissingBytes(here, _lack(meant, meant.keys() - there), opened.shown)


def _lack(meant: Mapping[str, int | None], missing: Iterable[str]) -> Lack:
    sizes = [meant[digest] or 0 for digest in missing]
    return Lack(len(sizes), sum(sizes))
