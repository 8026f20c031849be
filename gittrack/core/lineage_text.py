"""A lineage as Graphviz DOT and as Mermaid. Names come from anybody: none of them can leave its label."""

from __future__ import annotations

from gittrack.core.lineage import ARTIFACT, DATA, RUN, Edge, Lineage, Node
from gittrack.core.names import display

_LONGEST = 120
_DOT_SHAPES = {DATA: "cylinder", RUN: "box", ARTIFACT: "note"}
_MERMAID_SHAPES = {DATA: ("[(", ")]"), RUN: ("[", "]"), ARTIFACT: ("([", "])")}


def dot_text(lineage: Lineage) -> str:
    """The graph in DOT, for ``dot -Tsvg``."""
    names = {id: f"n{number}" for number, id in enumerate(lineage.nodes)}
    lines = ["digraph lineage {", "  rankdir=LR;"]
    for id, node in lineage.nodes.items():
        label = "\\n".join(_dot(text) for text in _label(node))
        shape = _DOT_SHAPES.get(node.kind, "ellipse")
        bold = ", penwidth=2" if id in lineage.roots else ""
        lines.append(f'  {names[id]} [shape={shape}, label="{label}"{bold}];')
    for edge in lineage.edges:
        label = f' [label="{_dot(role)}"]' if (role := _role(edge)) else ""
        lines.append(f"  {names[edge.source]} -> {names[edge.target]}{label};")
    return "\n".join([*lines, "}", ""])


def mermaid_text(lineage: Lineage) -> str:
    """The graph as a Mermaid flowchart, for a README or an issue."""
    names = {id: f"n{number}" for number, id in enumerate(lineage.nodes)}
    lines = ["flowchart LR"]
    for id, node in lineage.nodes.items():
        left, right = _MERMAID_SHAPES.get(node.kind, ("(", ")"))
        label = "<br/>".join(_mermaid(text) for text in _label(node))
        lines.append(f'  {names[id]}{left}"{label}"{right}')
    for edge in lineage.edges:
        label = f'|"{_mermaid(role)}"|' if (role := _role(edge)) else ""
        lines.append(f"  {names[edge.source]} -->{label} {names[edge.target]}")
    return "\n".join([*lines, ""])


def _label(node: Node) -> list[str]:
    label = [display(node.label, _LONGEST)]
    if node.kind == RUN:
        label.append(display(f"run {node.run[:8]} {node.status}".rstrip(), _LONGEST))
    elif node.digest:
        label.append(short_digest(node.digest))
    return label


def short_digest(digest: str) -> str:
    """A digest cut so that people can still tell it from others.

    >>> short_digest("md5:0123456789abcdef0123456789abcdef.dir")
    'md5:0123456789ab.dir'
    """
    algorithm, colon, value = digest.partition(":")
    ending = ".dir" if value.endswith(".dir") else ""
    value = value.removesuffix(".dir")
    if algorithm in ("version", "etag"):
        return display(digest, 60)
    return display(f"{algorithm}{colon}{value[:12]}{ending}", 60)


def _role(edge: Edge) -> str:
    return display(edge.role, 60)


def _dot(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


_MERMAID_SPECIAL = frozenset("#&;\"'`<>[](){}|\\*_~@:%-=")


def _mermaid(text: str) -> str:
    """Everything that Mermaid, Markdown or HTML could take for its own as a numbered entity."""
    return "".join(f"#{ord(char)};" if char in _MERMAID_SPECIAL else char for char in text)
