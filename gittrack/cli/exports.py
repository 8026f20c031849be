"""Tables for other programs: CSV that no spreadsheet takes for formulas, Markdown that no renderer takes for more."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

from gittrack.core.names import display

_NUMBER = re.compile(r"[+-]?(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|inf|nan)")
# Spreadsheets take full-width signs as they take the others.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_QUOTED = re.compile(r"[,;\t\r\n\"]|^\s|\s$")
_MARKUP = re.compile(r"([\\`*\[\]|~])|(?<![^\W_])_|_(?![^\W_])")


def csv_text(rows: Iterable[Sequence[str]]) -> str:
    """Rows as CSV (RFC 4180, lines end in a newline alone).

    A cell that a spreadsheet would run as a formula, because it begins with ``=``, ``+``, ``-``, ``@``, a tab or a line
    end and is no plain number, gets an apostrophe before it.

    >>> csv_text([["name", "lr"], ["=1+1", "-0.5"], ["a,b", ""]])
    'name,lr\\n\\'=1+1,-0.5\\n"a,b",\\n'
    """
    return "".join(",".join(map(_csv_cell, row)) + "\n" for row in rows)


def _csv_cell(text: str) -> str:
    safe = "'" + text if text.startswith(_FORMULA) and not _NUMBER.fullmatch(text) else text
    # A spreadsheet may split at semicolons or tabs: what has them is quoted too, or the rest would be a cell.
    return '"' + safe.replace('"', '""') + '"' if _QUOTED.search(safe) else safe


def markdown_lines(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a Markdown table. Whatever the cells hold is shown as text: bars, line ends, HTML, links.

    >>> markdown_lines(["run", "note"], [["a|b", "<b>\\n"]])
    ['| run | note |', '| --- | --- |', '| a\\\\|b | &lt;b&gt;\\\\\\\\n |']
    """
    lines = [titles, ["---"] * len(titles)]
    shown = [" | ".join(map(_markdown_cell, cells)) for cells in (titles, *rows)]
    return [f"| {line} |" for line in (shown[0], " | ".join(lines[1]), *shown[1:])]


def _markdown_cell(text: str) -> str:
    # An escape of display() is a backslash, and doubled here it stays one.
    return _MARKUP.sub(lambda match: "\\" + match[0], escape(display(text), quote=False))
