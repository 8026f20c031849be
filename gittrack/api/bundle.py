"""Runs in a file: written here, taken in elsewhere, with the same checks as over the network."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gittrack.api.expunged_runs import without_expunged
from gittrack.api.fetch import Fetched, fetch_bundle, waiting
from gittrack.api.shared_rows import SharedRows
from gittrack.capture.author import host
from gittrack.core.ids import ObjectId
from gittrack.core.parsed_refs import RemoteLedgerRef, parse_ref
from gittrack.core.problem import Problem
from gittrack.core.refs import FROM, REMOTE_PREFIX, bundle_slug, remote_ledger_ref
from gittrack.errors import ConflictError, CorruptRecordError, NotFoundError, RemoteError
from gittrack.frozen import dataclass
from gittrack.git.bundles import check_bundle, lacking, write_bundle
from gittrack.git.network import Told, list_remote
from gittrack.git.refs import RefUpdate
from gittrack.store.catalog import walk_ledger
from gittrack.store.locks import exclusive
from gittrack.store.outgoing import candidates, grown
from gittrack.store.refused import read_refused
from gittrack.store.remotes import Remote
from gittrack.store.rollup import month_of

if TYPE_CHECKING:
    from gittrack.api.project import Project


@dataclass(frozen=True, slots=True)
class WrittenBundle:
    """A bundle that was written.

    Attributes:
        file: where.
        size: bytes.
        ledgers: how many ledgers it holds.
        runs: how many runs they list.
        problems: what could not be read and is not in it.
    """

    file: Path
    size: int
    ledgers: int
    runs: int
    problems: tuple[Problem, ...]


def create_bundle(
    project: Project,
    file: str | os.PathLike[str],
    *,
    without: Sequence[str] = (),
    replace: bool = False,
    told: Told | None = None,
) -> WrittenBundle:
    """Write all runs, one's own and those that were fetched, with their code, into a file.

    Args:
        project: where from.
        file: the bundle.
        without: revisions that whoever takes it in has already, such as ``origin/main``.
        replace: whether a file that is there is replaced.
        told: told when another push or fetch of this clone is waited for.

    Raises:
        NotFoundError: there are no runs.
        ConflictError: the file is there already.
        UsageError: a revision is none.
        StorageError: it cannot be written.
    """
    target = Path(file).absolute()
    if not replace and os.path.lexists(target):
        raise ConflictError(f"'{target}' is there already", hint="--force replaces it")
    project.layout.root.mkdir(exist_ok=True)
    with exclusive(project.layout.sharing_lock, waiting=waiting(told)):
        problems = _list_own(project)
        listed = project.repo.refs.list(REMOTE_PREFIX)
        ledgers = {name: tip for name, tip in listed if isinstance(parse_ref(name), RemoteLedgerRef)}
        if not ledgers:
            raise NotFoundError("there are no runs yet", hint="gittrack run -- python train.py")
        write_bundle(project.repo, target, list(ledgers), without)
        runs = _count_runs(project, ledgers.values())
    return WrittenBundle(target, target.stat().st_size, len(ledgers), runs, tuple(problems))


def _count_runs(project: Project, tips: Iterable[ObjectId]) -> int:
    refused = read_refused(project.layout)
    rows = (row for tip in tips for row in walk_ledger(project.repo, tip, told=lambda *_: None))
    return len({row.id for row in rows if row.kind == "run" and row not in refused})


def _list_own(project: Project) -> list[Problem]:
    """List what is here and in no ledger for bundles yet in the one of this month."""
    repo, now = project.repo, project.now()
    slug = _slug_of_clone(project)
    found, problems = candidates(repo, Remote(slug, slug, "", ""), project.writer, SharedRows(project, slug))
    found, _ = without_expunged(project, [each for each in found if each.is_own])
    if found:
        ref = remote_ledger_ref(slug, month_of(now), project.writer)
        before = repo.refs.get(ref)
        tip = grown(repo, ref, before, [row for row, *_ in found], project.author, now)
        repo.refs.transaction([RefUpdate(ref, tip, before)])
    return problems


def apply_bundle(project: Project, file: str | os.PathLike[str], told: Told | None = None) -> list[Fetched]:
    """Take in the runs of a bundle; what is in it and here already costs nothing.

    Args:
        project: where to.
        file: the bundle.
        told: told when another push or fetch of this clone is waited for.

    Returns:
        What was new, by the remote that whoever wrote the bundle knew it from.

    Raises:
        NotFoundError: there is no such file, or it builds on commits that are not here.
        CorruptRecordError: it is no bundle, or is damaged.
        StorageError: something could not be stored.
    """
    path = Path(file).absolute()
    if not path.is_file():
        raise NotFoundError(f"there is no file '{path}'", hint="gittrack bundle create FILE")
    check_bundle(path)
    if missing := lacking(project.repo, path):
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        text = f"'{path}' builds on commits of code that are not here: {missing[0]}{more}"
        raise NotFoundError(text, hint="git fetch, and repeat it; or there, without --without: gittrack bundle create")
    project.layout.root.mkdir(exist_ok=True)
    try:
        refs = [parse_ref(ref.name) for ref in list_remote(project.repo, str(path), [f"{REMOTE_PREFIX}*"])]
        slugs = sorted({ref.remote for ref in refs if isinstance(ref, RemoteLedgerRef)})
        return [fetch_bundle(project, _inside(path, slug), told) for slug in slugs]
    except RemoteError as error:
        raise CorruptRecordError(
            f"'{path}' cannot be taken in: {error.message}", hint=f"git bundle verify {path}"
        ) from error


def _slug_of_clone(project: Project) -> str:
    """What the ledgers that this clone makes for bundles are called everywhere: two clones of one person grow apart."""
    place = f"{host()}\0{os.path.realpath(project.repo.common_dir)}\0{project.writer}"
    return FROM + hashlib.sha256(place.encode("utf-8", "surrogateescape")).hexdigest()[:12]


def _inside(path: Path, slug: str) -> Remote:
    """A remote inside a bundle, by the slug it had where the bundle was written, or was written first."""
    return Remote(str(path), bundle_slug(slug), f"{REMOTE_PREFIX}{slug}/", str(path))
