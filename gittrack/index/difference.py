"""Two indexes compared, row by row."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest

from gittrack.index.seen import Connection

_OF_RUNS = ("metric", "param", "tag")
_DETAILS = ("input", "artifact")


def first_difference(one: Connection, other: Connection) -> str:
    """Where two indexes of the same runs say different things; ``""`` where nowhere.

    Numbers of runs, names and refs differ between any two; and names that no run has any more may be left in one.
    """
    for table, query in _queries(one):
        pairs = zip_longest(one.execute(query), other.execute(query))
        for ours, theirs in pairs:
            if repr(ours) != repr(theirs):  # of numbers their types too; NaN is none
                row = ours or theirs
                return f"its table '{table}' differs from what is stored, about {row[0]}"
    return ""


def _queries(sql: Connection) -> Iterator[tuple[str, str]]:
    """A query of each table whose rows say the same in any index of the same runs, in an order of their own."""

    def columns(table: str, without: tuple[str, ...]) -> str:
        names = [name for _, name, *_ in sql.execute(f"PRAGMA table_info({table})") if name not in without]
        return ", ".join(f"t.{name}" for name in names)

    def query(chosen: str, joined: str, order: int) -> str:
        return f"SELECT {chosen} FROM {joined} ORDER BY {', '.join(str(place + 1) for place in range(order))}"

    yield "ref", query("t.name, t.tip, t.writer", "ref t", 1)
    yield "listing", query("t.run, t.commit_id, ref.name", "listing t JOIN ref ON ref.id = t.ref", 3)
    event = columns("event", ("ref", "subject"))
    yield "event", query(f"t.subject, ref.name, {event}", "event t JOIN ref ON ref.id = t.ref", 3)
    yield "run", query(f"t.id, {columns('run', ('id', 'n'))}", "run t", 1)
    yield "document", query(f"run.id, {columns('document', ('n',))}", "document t JOIN run USING (n)", 1)
    for table in _OF_RUNS:
        rest = columns(table, ("run", "name"))
        joined = f"{table} t JOIN run ON run.n = t.run JOIN name ON name.n = t.name"
        yield table, query(f"run.id, name.scope, name.text, {rest}", joined, 3)
    for table in _DETAILS:
        rest = columns(table, ("run",))
        yield table, query(f"run.id, {rest}", f"{table} t JOIN run ON run.n = t.run", 2 + rest.count(","))
