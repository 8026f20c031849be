"""Signatures beside what they sign: a few words in brackets for people, two names in JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from gittrack.core.names import display
from gittrack.core.signatures import UNSIGNED, Signature, signature_text

if TYPE_CHECKING:
    from gittrack.cli.render import Cell
    from gittrack.core.ids import EventId
    from gittrack.core.records import Person

Signatures = Mapping["EventId", Signature]


def mark(found: Signatures, id: EventId, author: Person) -> str:
    """What stands behind something that was said; empty when it is not signed."""
    text = signature_text(found.get(id, Signature(UNSIGNED)), author)
    return f"  [{display(text)}]" if text else ""


def cell(found: Signatures, id: EventId | None, author: Person) -> Cell:
    """The same as the cell of a table; what is bad is not to be overlooked."""
    from gittrack.cli.render import Cell

    text = "" if id is None else signature_text(found.get(id, Signature(UNSIGNED)), author)
    return Cell(text, "bad" if text.startswith("BAD") else "faint")


def with_signatures(rows: Iterable[dict[str, Any]], found: Signatures) -> list[dict[str, Any]]:
    """Rows of JSON, each with the id of an event, with ``signature`` and ``signer``."""
    result = []
    for row in rows:
        signature = found.get(row["id"], Signature(UNSIGNED))
        result.append(row | {"signature": signature.state, "signer": signature.signer or None})
    return result
