"""Which run an address means, whatever the runs are looked up in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from gittrack.api.project import Project
from gittrack.api.saved_run import SavedRun
from gittrack.core.address import Address
from gittrack.core.ids import ObjectId, RunId
from gittrack.core.names import display
from gittrack.errors import AmbiguousError, RunNotFoundError

ID_DIGITS = 32
"""Of a whole run id."""
_SURE_PREFIX = 4
"""Digits from which on a text may be meant as an id though it is a name too; runs of a sweep are named 1, 2, 3."""


class Candidate(NamedTuple):
    """A run that may be meant, and whether it is deleted."""

    id: RunId
    deleted: bool


class KnownRuns(Protocol):
    """Runs, live ones included, that can be looked up by what people call them."""

    def newest(self, back: int) -> SavedRun | int:
        """The run so many back, 1 the newest, deleted ones left out; how many there are when that is too far."""

    def one(self, id: RunId) -> SavedRun | None:
        """The run of an id."""

    def named(self, name: str) -> Sequence[Candidate]:
        """The runs of a name."""

    def beginning(self, digits: str) -> Sequence[Candidate]:
        """The runs whose ids begin so."""

    def at(self, commit: ObjectId) -> Sequence[Candidate]:
        """The runs whose commit, or one in conflict with it, this is."""


def match_address(project: Project, address: Address, known: KnownRuns, *, deleted: bool = False) -> SavedRun:
    """The run that an address means.

    Args:
        project: where; asked for git revisions.
        address: what a person gave.
        known: the runs.
        deleted: of runs of that name the deleted ones are meant, if there are any, instead of the others.

    Raises:
        RunNotFoundError: none.
        AmbiguousError: several.
    """
    if address.back is not None:
        return _newest(known, address.back)
    whole = known.one(RunId(address.prefix)) if address.prefix is not None else None
    if whole is not None:
        return whole
    matches = _by_name_or_prefix(address, known, deleted) or _by_revision(project, address.text, known)
    if len(matches) > 1:
        ids = sorted(candidate.id for candidate in matches)
        shown = ", ".join(id[: 12 if len(address.text) < 12 else 32] for id in ids[:5])
        raise AmbiguousError(
            f"'{display(address.text, 80)}' matches {len(matches)} runs", matches=ids, hint=f"use an id: {shown}"
        )
    run = known.one(matches[0].id) if matches else None
    if run is None:
        raise RunNotFoundError(f"no run is '{display(address.text, 80)}'", hint="gittrack ls")
    return run


def _newest(known: KnownRuns, back: int) -> SavedRun:
    found = known.newest(back)
    if isinstance(found, SavedRun):
        return found
    many = f"there are only {found} runs" if found else "there are no runs yet"
    raise RunNotFoundError(many, hint="gittrack ls" if found else "gittrack run -- python your_script.py")


def _by_name_or_prefix(address: Address, known: KnownRuns, deleted: bool) -> list[Candidate]:
    named = known.named(address.text)
    named = [run for run in named if run.deleted == deleted] or [*named]
    if address.prefix is None or (named and len(address.prefix) < _SURE_PREFIX):
        return named
    # What we print is a prefix, and a name may be made to look like it: neither is preferred.
    ids = {run.id for run in named}
    return named + [run for run in known.beginning(address.prefix) if run.id not in ids]


def _by_revision(project: Project, text: str, known: KnownRuns) -> Sequence[Candidate]:
    commit = project.repo.resolve(text)
    return [] if commit is None else known.at(commit)


class ReadRuns:
    """Runs that were all read.

    Args:
        runs: by id.
    """

    def __init__(self, runs: Mapping[RunId, SavedRun]) -> None:
        self._runs = runs

    def newest(self, back: int) -> SavedRun | int:
        """The run so many back, or how many there are."""
        found = newest_first(run for run in self._runs.values() if not run.deleted)
        return found[back - 1] if back <= len(found) else len(found)

    def one(self, id: RunId) -> SavedRun | None:
        """The run of an id."""
        return self._runs.get(id)

    def named(self, name: str) -> list[Candidate]:
        """The runs of a name."""
        return [Candidate(run.id, run.deleted) for run in self._runs.values() if run.name == name]

    def beginning(self, digits: str) -> list[Candidate]:
        """The runs whose ids begin so."""
        return [Candidate(run.id, run.deleted) for run in self._runs.values() if run.id.startswith(digits)]

    def at(self, commit: ObjectId) -> list[Candidate]:
        """The runs whose commit this is."""
        here = (run for run in self._runs.values() if commit == run.commit or commit in run.conflicts)
        return [Candidate(run.id, run.deleted) for run in here]


def newest_first(runs: Iterable[SavedRun]) -> list[SavedRun]:
    """Runs in the order of listings."""
    return sorted(runs, key=lambda run: (run.record.start_time, run.id), reverse=True)
