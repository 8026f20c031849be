"""What could be meant by the beginning of a word: runs, experiments, names, views, artifacts; in a blink.

The index is read as it is, and brought up to date first only where a few runs are new. Where there is none, none is
made. Whatever goes wrong means that there are fewer words, never an error: somebody is typing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple, TypeVar

from gittrack.api.project import Project
from gittrack.core.parsed_refs import InboxRef, parse_ref
from gittrack.core.query.tree import Field
from gittrack.core.records import RunStatus
from gittrack.core.refs import REMOTE_PREFIX, RUNS_PREFIX
from gittrack.core.value_text import exact_text
from gittrack.errors import GittrackError
from gittrack.index.database import IndexDatabase
from gittrack.index.known_words import (
    KnownRun,
    digits_of,
    experiments_to_offer,
    is_one_name,
    names_to_offer,
    open_as_it_is,
    roles_of,
    runs_to_offer,
    values_of,
    wait_briefly,
)
from gittrack.index.seen import Connection, seen_refs

T = TypeVar("T")
_FEW = 32
"""New runs for which the index is brought up to date: some milliseconds."""
_MOST_RUNS, _MOST_NAMES, _MOST_LIVE, _MOST_VALUES = 50, 500, 20, 100
_START_BYTES = 1 << 18
"""Bytes at the beginning of a journal that are looked at for a run's name."""


class Word(NamedTuple):
    """A word to offer, and what it is, for shells that show it."""

    text: str
    help: str = ""


class KnownWords:
    """The words of one project.

    Args:
        project: where; nothing in it is written but an index that is there.
    """

    def __init__(self, project: Project) -> None:
        self._project = project

    def runs(self, beginning: str, *, deleted: bool = False) -> list[Word]:
        """Names of runs, ids where a name is not enough, newest first; those in progress before the others."""
        words = [] if deleted else list(self._live(beginning))
        words += self._from_index(lambda sql: _run_words(sql, beginning, deleted, self._project.now()))
        return list({word.text: word for word in reversed(words)}.values())[::-1]

    def experiments(self, beginning: str) -> list[Word]:
        """Names of experiments, the one with the newest run first."""
        found = self._from_index(experiments_to_offer)
        return [Word(name, f"experiment {id}") for name, id in found if name.startswith(beginning)]

    def names(self, scope: str, beginning: str) -> list[Word]:
        """Names of metrics, params or tags."""
        found = self._from_index(lambda sql: names_to_offer(sql, scope, beginning, _MOST_NAMES))
        return [Word(name) for name in found]

    def values(self, field: Field, beginning: str) -> list[str | int | float | bool]:
        """Values of a field that begin so, where there are few: of a param, a tag, an attribute."""
        from gittrack.core.query.fields import kind_of

        kind = kind_of(field)
        values: list[str | int | float | bool]
        if kind == "status":
            values = [status.value for status in RunStatus]
        elif kind == "flag":
            values = [True, False]
        else:
            values = self._from_index(lambda sql: values_of(sql, field, _MOST_VALUES + 1))
        if len(values) > _MOST_VALUES:
            return []
        return [value for value in values if exact_text(value).startswith(beginning)]

    def roles(self, beginning: str) -> list[Word]:
        """Roles of data."""
        found = self._from_index(lambda sql: roles_of(sql, _MOST_NAMES))
        return [Word(role) for role in found if role.startswith(beginning)]

    def views(self, beginning: str) -> list[Word]:
        """Names of saved views."""
        from gittrack.api.views import list_views

        views, _ = list_views(self._project)
        return [Word(view.name, view.description or view.query) for view in views if view.name.startswith(beginning)]

    def artifacts(self, address: str, beginning: str) -> list[Word]:
        """Paths of a run's artifacts."""
        if open_as_it_is(self._project.layout.index_file) is None:  # else the whole history would be read
            return []
        from gittrack.api.read import find_run
        from gittrack.core.sizes import format_size

        entries = find_run(self._project, address).artifacts()[:_MOST_NAMES]
        texts = [(each.path, "" if each.size is None else format_size(each.size)) for each in entries]
        return [Word(path, size) for path, size in texts if path.startswith(beginning)]

    def _from_index(self, question: Callable[[Connection], list[T]]) -> list[T]:
        index = open_as_it_is(self._project.layout.index_file)
        if index is None:
            return []
        with closing(index):
            if not self._lags(index):
                return _asked(index, question)
        try:
            with IndexDatabase.open(self._project.layout.index_file) as written:
                wait_briefly(written)
                from gittrack.api.run_index import refresh

                refresh(self._project, written)
                return _asked(written, question)
        except GittrackError:
            index = open_as_it_is(self._project.layout.index_file)  # held by another, or not ours to write
        if index is None:
            return []
        with closing(index):
            return _asked(index, question)

    def _lags(self, index: IndexDatabase) -> bool:
        """Whether a few runs are new, or were moved; of many more it is not for us to say."""
        try:
            with index.reading() as sql:
                known = {name: ref.tip for name, ref in seen_refs(sql).items()}
            refs = dict(self._project.repo.refs.list(RUNS_PREFIX, REMOTE_PREFIX))
        except GittrackError:
            return False
        changed = {name for name, _ in refs.items() ^ known.items()}
        ours = [ref for name in changed if (ref := parse_ref(name)) is not None]
        return 0 < len(ours) <= _FEW and all(isinstance(ref, InboxRef) for ref in ours)

    def _live(self, beginning: str) -> Iterator[Word]:
        try:
            if not os.listdir(self._project.layout.live):
                return
        except OSError:
            return  # most of the time: no run has ever been, or is, in progress
        from gittrack.store.live import live_ids

        for id in reversed(live_ids(self._project.layout)[-_MOST_LIVE:]):
            name = _live_name(self._project.layout.live_run(id))
            for text in (name, id[:8]):
                if is_word(text) and text.startswith(beginning):
                    yield Word(text, f"in progress, {name}" if text != name else f"in progress, {id[:8]}")
                    break


def _asked(index: IndexDatabase, question: Callable[[Connection], list[T]]) -> list[T]:
    try:
        with index.reading() as sql:
            return question(sql)
    except GittrackError:
        return []  # damaged: whoever needs it next makes it anew


def _run_words(sql: Connection, beginning: str, deleted: bool, now: int) -> list[Word]:
    return [_run_word(sql, run, beginning, now) for run in runs_to_offer(sql, beginning, _MOST_RUNS, deleted=deleted)]


def _run_word(sql: Connection, run: KnownRun, beginning: str, now: int) -> Word:
    from gittrack.core.sparkline import format_age

    told = f"{run.status}, {format_age(now - run.start_time)}, {run.experiment}"
    if run.name.startswith(beginning) and is_word(run.name) and is_one_name(sql, run.name):
        return Word(run.name, told)
    return Word(digits_of(sql, run.id, max(8, len(beginning))), f"{run.name}: {told}")


def is_word(text: str) -> bool:
    """Whether every shell takes a text as one word of these very characters, quoted or not.

    Letters of any language and digits, ``_ . / , : @ + -``; nothing that a shell would expand, run or end a line by.
    """
    import re

    return re.fullmatch(r"[\w./,:@+-]+", text) is not None and not text.startswith("-")


def _live_name(folder: Path) -> str:
    """The name that a run in progress began with; ``""`` when its first journal does not tell at once."""
    from gittrack.core.journal import decode_journal

    try:
        for entry in sorted(os.listdir(folder)):
            with open(folder / entry, "rb") as file:
                contents = decode_journal(file.read(_START_BYTES))
            for operation in contents.operations:
                if operation["op"] == "start":
                    return str(operation.get("name", ""))
    except (OSError, GittrackError):
        pass  # it has ended meanwhile
    return ""
