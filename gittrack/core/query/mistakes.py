"""What people who know other languages write, and how it is written here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from gittrack.core.names import display
from gittrack.core.query.diagnosis import nearest
from gittrack.core.query.tokens import Token, unit_of

_JOINED = "join conditions by and, or"
CALLS: Mapping[str, str] = {
    "code.changed": "code.changed('src/model.py')",
    "text": "text('out of memory')",
    "has artifact": "has artifact 'model'",
}
"""What is no comparison, and how it is written."""


class Mistake(NamedTuple):
    """What is wrong, ``""`` for what is said anyway, and a hint."""

    problem: str
    hint: str


def leftover(before: Token, token: Token, after: Token) -> Mistake:
    """Why a word stands behind a whole condition.

    Args:
        before, after: its neighbours.
        token: the word.
    """
    if token.text == ")" and token.kind == "symbol":
        return Mistake("there is no '(' for this ')'", "leave it out, or open it before")
    is_comma = token.kind == "symbol" and token.text == ","
    if is_comma and before.kind == after.kind == "number" and before.end == token.start and token.end == after.start:
        return Mistake("", f"a decimal point is a dot: {before.text}.{after.text}")
    unit = unit_of(token.text) if before.kind in ("number", "duration") else ""
    if unit:
        return Mistake("", f"write {display(before.text, 40)}{unit}, without a blank; units are w d h m s ms")
    return Mistake("", "write it once, or: in ('a', 'b')" if is_comma else _JOINED)


def unknown_call(word: str) -> Mistake:
    """``code.change('x')``, ``artifact('x')``: nothing of that name is called so.

    >>> unknown_call("code.change").hint
    "did you mean code.changed('src/model.py')?"
    """
    near = nearest(word, CALLS) or ("has artifact" if "artifact" in word or "artefact" in word else "")
    hint = f"did you mean {CALLS[near]}?" if near else f"there are {', '.join(CALLS.values())}"
    return Mistake(f"nothing that takes '(' is called '{display(word, 40)}'", hint)
