"""What DVC tracks, out of the text of ``*.dvc`` files and ``dvc.lock``, read line by line.

DVC writes these files itself, in block style: a few fixed keys at fixed depths are all that is looked at. What else
YAML can do (anchors, aliases, tags, flow style) is never expanded: where a value that is needed uses it, the file is
refused. The files may come from anybody; time and memory are linear in their size.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from gittrack.core.names import display
from gittrack.core.records import ARTIFACT_DIGEST
from gittrack.errors import CorruptRecordError
from gittrack.frozen import dataclass

PROJECT_ROLE = "project"
"""The role of data that the project had when a run began; nobody said that the run reads it."""
MAX_POINTER_BYTES = 1 << 20
MAX_LOCK_BYTES = 16 << 20
MAX_OUTS = 10_000
"""What is tracked by one file, at most."""

_PLAIN_POINTER = re.compile(
    r"outs:\n- md5: (?P<md5>[0-9a-f]{32}(?:\.dir)?)\n  size: (?P<size>[0-9]{1,18})\n(?:  nfiles: [0-9]{1,9}\n)?"
    r"  hash: md5\n  path: (?P<path>[A-Za-z0-9_./][A-Za-z0-9_./\-]*)\n"
)
"""What ``dvc add`` writes for nearly every file: read by one match."""
_SPECIAL = "&*!|>[]{}%@`,?"
_ESCAPES = re.compile(r"\\(x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)")
_ESCAPED = {
    "0": "\0", "a": "\a", "b": "\b", "t": "\t", "\t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r", "e": "\x1b",
    " ": " ", '"': '"', "/": "/", "\\": "\\", "N": "\x85", "_": "\xa0", "L": "\u2028", "P": "\u2029",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class TrackedOut:
    """A file or folder that DVC tracks.

    Attributes:
        path: relative to the folder of the file that tracks it, as it is written there, ``wdir`` included.
        digest: ``md5:<32 hex>``, of a folder with ``.dir`` at its end.
        size: bytes, None when it is not said.
        legacy: written by DVC 2, whose hash of a text file is not that of its bytes.
    """

    path: str
    digest: str
    size: int | None = None
    legacy: bool = False


def parse_pointer(text: str) -> tuple[TrackedOut, ...]:
    """What a ``.dvc`` file tracks; an out without an MD5 (never fetched, or kept by version ids alone) is left out.

    Raises:
        CorruptRecordError: it is not what DVC writes.

    >>> parse_pointer("outs:\\n- md5: d41d8cd98f00b204e9800998ecf8427e\\n  hash: md5\\n  path: a.csv\\n")[0].path
    'a.csv'
    """
    if plain := _PLAIN_POINTER.fullmatch(text):
        return (TrackedOut(plain["path"], f"md5:{plain['md5']}", int(plain["size"])),)
    section, wdir = "", ""
    items = _Items()
    for line in _lines(text):
        if line.indent == 0 and line.dash < 0:
            section = line.key
            if section == "wdir":
                wdir = _scalar(line.value)
        elif section == "outs":
            items.take(line, least=0)
    return items.outs(wdir)


def parse_lock(text: str, folders: Mapping[str, str]) -> tuple[TrackedOut, ...]:
    """What the stages of a ``dvc.lock`` have as outs.

    Args:
        text: the file.
        folders: stage -> its ``wdir``, as :func:`parse_folders` reads it from the ``dvc.yaml`` beside.

    Raises:
        CorruptRecordError: it is not what DVC writes.
    """
    found: list[TrackedOut] = []
    top, stage, section = "", "", ""
    items = _Items()
    for line in _lines(text):
        if line.indent == 0:
            top = line.key
        elif top == "stages" and line.indent == _STEP and line.dash < 0:
            found += items.outs(_folder_of(stage, folders))
            stage, section, items = line.key, "", _Items()
        elif top == "stages" and line.indent == 2 * _STEP and line.dash < 0:
            section = line.key
        elif top == "stages" and section == "outs":
            items.take(line, least=2 * _STEP)
    found += items.outs(_folder_of(stage, folders))
    if len(found) > MAX_OUTS:
        raise CorruptRecordError(f"it tracks more than {MAX_OUTS} files")
    return tuple(found)


_STEP = 2


def _folder_of(stage: str, folders: Mapping[str, str]) -> str:
    return folders.get(stage) or folders.get(stage.partition("@")[0], "")


def parse_folders(text: str) -> dict[str, str]:
    """The ``wdir`` of the stages of a ``dvc.yaml`` that have one; one that is a template is left out.

    Raises:
        CorruptRecordError: it cannot be read so.
    """
    found: dict[str, str] = {}
    top, stage = "", ""
    for line in _lines(text):
        if line.indent == 0:
            top = line.key
        elif top == "stages" and line.indent == _STEP:
            stage = line.key
        elif (
            top == "stages" and line.key == "wdir" and line.indent in (2 * _STEP, 3 * _STEP) and "${" not in line.value
        ):
            found[stage] = _scalar(line.value)
    return found


class _Line(NamedTuple):
    """A key and its value: where the key stands, where the dash of its list item stands (-1: none on this line)."""

    indent: int
    dash: int
    key: str
    value: str


class _Items:
    """The mappings of a list, of which the keys at one depth are kept."""

    def __init__(self) -> None:
        self._found: list[dict[str, str]] = []
        self._dash = -1
        self._indent = -1

    def take(self, line: _Line, *, least: int) -> None:
        if line.dash >= least and self._dash in (-1, line.dash):
            if len(self._found) >= MAX_OUTS:
                raise CorruptRecordError(f"it tracks more than {MAX_OUTS} files")
            self._found.append({})
            self._dash, self._indent = line.dash, line.indent
        if self._found and line.indent == self._indent:
            self._found[-1][line.key] = line.value

    def outs(self, folder: str) -> tuple[TrackedOut, ...]:
        listed = (_out(item, folder) for item in self._found if "path" in item and "md5" in item)
        return tuple(out for out in listed if out is not None)


def _out(item: Mapping[str, str], folder: str) -> TrackedOut | None:
    digest = f"md5:{_scalar(item['md5'])}"
    path = _scalar(item["path"])
    if not ARTIFACT_DIGEST.fullmatch(digest):
        raise CorruptRecordError(f"'{display(digest, 60)}' is not a hash of DVC")
    if not path or "\0" in path:
        raise CorruptRecordError("a path in it is empty or holds NUL")
    size = _scalar(item.get("size", ""))
    number = int(size) if size.isascii() and size.isdigit() and len(size) < 19 else None
    return TrackedOut(posixpath.join(folder, path), digest, number, legacy=_scalar(item.get("hash", "")) != "md5")


def _lines(text: str) -> Iterator[_Line]:
    """Every ``key: value`` of a text in block style, values that go on over several lines joined."""
    waiting: _Line | None = None
    depth = -1  # lines that stand deeper belong to the value that began here
    for raw in text.split("\n"):
        content = raw.strip(" \r")
        if len(content) > _LONGEST_LINE:
            raise CorruptRecordError("a line in it is too long")
        if not content or content.startswith("#") or content in ("---", "..."):
            continue
        indent = len(raw) - len(raw.lstrip(" "))
        if 0 <= depth < indent:
            if waiting is not None:
                waiting = waiting._replace(value=_continued(waiting.value, content))
            continue
        if waiting is not None:
            yield waiting
        waiting, depth = _begun(indent, content)
        if waiting is not None and depth < 0:
            yield waiting
            waiting = None
    if waiting is not None:
        yield waiting


def _begun(indent: int, content: str) -> tuple[_Line | None, int]:
    """A line that begins something: its key and value, and beyond which depth lines go on with it (-1: none do)."""
    dash = -1
    while content.startswith("- ") or content == "-":
        dash = indent
        rest = content[1:].lstrip(" ")
        indent += len(content) - len(rest)
        content = rest
    found = _split(content)
    if found is None:
        return None, dash if dash >= 0 else indent  # a bare value: of a list of commands, say
    key, value = found
    line = _Line(indent, dash, key, value)
    if not value or value.startswith("#"):
        return line._replace(value=""), -1
    return line._replace(value=value[: _LONGEST_VALUE + 1]), indent


def _split(content: str) -> tuple[str, str] | None:
    if content[:1] in ("'", '"'):
        end = _closing(content)
        if end < 0 or content[end + 1 : end + 2] != ":":
            return None
        return _scalar(content[: end + 1]), content[end + 2 :].strip(" ")
    key, colon, value = content.partition(": ")
    if colon:
        return key.strip(" "), value.strip(" ")
    return (content[:-1].strip(" "), "") if content.endswith(":") else None


def _closing(text: str) -> int:
    """Where the quote that a text begins with ends; -1 when it does not."""
    quote, at = text[0], 1
    while True:
        at = text.find(quote, at)
        if at < 0:
            return -1
        if quote == "'" and text[at + 1 : at + 2] == "'":
            at += 2
        elif quote == '"' and _is_escaped(text, at):
            at += 1
        else:
            return at


def _is_escaped(text: str, at: int) -> bool:
    first = at
    while text[first - 1] == "\\":  # never before the quote that the text begins with
        first -= 1
    return (at - first) % 2 == 1


_LONGEST_VALUE = 8192
_LONGEST_LINE = 1 << 16


def _continued(value: str, more: str) -> str:
    if len(value) > _LONGEST_VALUE or value[:1] in "|>":
        return value  # of no key that is looked at
    if value.startswith('"') and value.endswith("\\"):
        return value[:-1] + more
    return f"{value} {more[:_LONGEST_VALUE]}"


_AS_IT_IS = re.compile(r"\?[^ ]")
"""Begins with what is special only before a blank."""


def _scalar(raw: str) -> str:
    """The text that a value stands for.

    Raises:
        CorruptRecordError: it is no simple text, or too long.
    """
    if len(raw) > _LONGEST_VALUE:
        raise CorruptRecordError("a value in it is too long")
    if raw[:1] in ("'", '"'):
        end = _closing(raw)
        if end < 0:
            raise CorruptRecordError(f"the quote of {display(json.dumps(raw), 60)} does not end")
        inner = raw[1:end]
        return inner.replace("''", "'") if raw[0] == "'" else _ESCAPES.sub(_unescaped, inner)
    if raw[:1] and raw[0] in _SPECIAL and not _AS_IT_IS.match(raw):
        raise CorruptRecordError(f"'{display(raw, 60)}' is YAML that DVC does not write here")
    return raw.partition(" #")[0].rstrip(" ")


def _unescaped(match: re.Match[str]) -> str:
    code = match[1]
    if code[0] in "xuU" and len(code) > 1:
        number = int(code[1:], 16)
        if number > 0x10FFFF or 0xD800 <= number < 0xE000:
            raise CorruptRecordError(f"'\\{code}' in it is no character")
        return chr(number)
    if code not in _ESCAPED:
        raise CorruptRecordError(f"'{display(match[0])}' in it is no escape")
    return _ESCAPED[code]
