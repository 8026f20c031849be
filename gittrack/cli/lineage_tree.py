"""A lineage as trees for a terminal: what something came of, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from gittrack.cli.render import STATUS_ROLES, plural
from gittrack.cli.terminal import Role, Terminal
from gittrack.core.dvc_pointers import PROJECT_ROLE
from gittrack.core.lineage import ARTIFACT, RUN, Edge, Lineage, Node
from gittrack.core.lineage_text import short_digest
from gittrack.core.names import display
from gittrack.core.records import RunStatus

Direction = Literal["before", "after"]
UNUSED_SHOWN = 5
"""Artifacts of one run that nobody used and that are named one by one."""
_LABEL = 100


def tree_lines(lineage: Lineage, root: str, terminal: Terminal, *, up: bool, down: bool) -> list[str]:
    """One root with what it came of above what came of it."""
    lines = [node_text(lineage.nodes[root], terminal)]
    asked: list[tuple[bool, str, Direction]] = [(up, "came of", "before"), (down, "led to", "after")]
    for wanted, title, direction in asked:
        if wanted:
            branches = list(_branches(lineage, root, direction, terminal))
            lines += [terminal.paint(f"{title}{'' if branches else ': nothing known'}", "title"), *branches]
    return lines


def _branches(lineage: Lineage, root: str, direction: Direction, terminal: Terminal) -> Iterator[str]:
    """The lines below a root; what was shown already is named and not followed again."""
    edges = _by_end(lineage, direction)
    shown = {root}
    waiting = list(reversed(_indented(_children(lineage, root, edges, direction), "")))
    while waiting:
        head, tail, edge, hidden = waiting.pop()
        if edge is None:
            yield head + terminal.paint(f"{plural(hidden, 'artifact')} more that no run used", "faint")
            continue
        end = edge.source if direction == "before" else edge.target
        node = lineage.nodes[end]
        again = end in shown and bool(edges.get(end))
        text = node_text(node, terminal) + _role_text(edge, terminal)
        yield head + text + (terminal.paint("  (see above)", "faint") if again else "")
        if end not in shown:
            shown.add(end)
            below = _indented(_children(lineage, end, edges, direction), tail)
            waiting += reversed(below)


_Branch = tuple[str, str, Edge | None, int]


def _indented(children: list[tuple[Edge | None, int]], tail: str) -> list[_Branch]:
    lines = []
    for place, (edge, hidden) in enumerate(children):
        last = place == len(children) - 1
        lines.append((tail + ("└─ " if last else "├─ "), tail + ("   " if last else "│  "), edge, hidden))
    return lines


def _by_end(lineage: Lineage, direction: Direction) -> dict[str, list[Edge]]:
    found: dict[str, list[Edge]] = {}
    for edge in lineage.edges:
        found.setdefault(edge.target if direction == "before" else edge.source, []).append(edge)
    for below in found.values():
        below.sort(key=lambda edge: edge.role == PROJECT_ROLE)  # what a run names itself comes first
    return found


def _children(
    lineage: Lineage, id: str, edges: dict[str, list[Edge]], direction: Direction
) -> list[tuple[Edge | None, int]]:
    """The edges from a node, used artifacts first; of the others a few, then how many more there are."""
    found = edges.get(id, [])
    if direction == "before" or lineage.nodes[id].kind != RUN:
        return [(edge, 0) for edge in found]
    used = [edge for edge in found if edge.target in edges]
    unused = [edge for edge in found if edge.target not in edges]
    hidden = len(unused) - UNUSED_SHOWN
    if hidden <= 1:
        return [(edge, 0) for edge in [*used, *unused]]
    return [*((edge, 0) for edge in [*used, *unused[:UNUSED_SHOWN]]), (None, hidden)]


def node_text(node: Node, terminal: Terminal) -> str:
    """``run brisk-otter-417 (1a2b3c4d) finished``, ``data data/train.csv md5:0123456789ab``."""
    label = display(node.label, _LABEL)
    if node.kind == RUN:
        status = terminal.paint(node.status, _status_role(node.status)) if node.status else "not in this clone"
        deleted = ", deleted" if node.deleted else ""
        return f"{terminal.paint('run', 'faint')} {label} ({node.run[:8]}) {status}{deleted}"
    kind = terminal.paint(display(node.kind, 20), "faint")
    digest = f"  {terminal.paint(short_digest(node.digest), 'faint')}" if node.digest else ""
    of = f" of {node.run[:8]}" if node.kind == ARTIFACT else ""
    return f"{kind} {label}{of}{digest}"


def _status_role(status: str) -> Role:
    return STATUS_ROLES.get(RunStatus(status), "warning")


def _role_text(edge: Edge, terminal: Terminal) -> str:
    words = [display(word, 40) for word in (edge.role, edge.state) if word]
    return f"  {terminal.paint(', '.join(words), 'faint')}" if words else ""
