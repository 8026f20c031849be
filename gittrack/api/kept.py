"""What a run keeps of what it is given: no credentials, and no more than its files can hold.

Both are checked when something is logged, where one value is refused, rather than at the run's end, where the whole run
would be.
"""

from __future__ import annotations

import json
from typing import Any

from gittrack.core.params import encode_params
from gittrack.core.records import ParamValue
from gittrack.core.redact import MASK, find_secret, is_secret_name, redact_text, redact_url
from gittrack.errors import InvalidValueError

MOST_BYTES = 15 << 19
"""Bytes of one small file of a run (``params.toml``, …): a little less than what readers take."""
LONGEST_TEXT = 1 << 20
"""Characters of a tag or a note."""
SUMMARY_BYTES = 220
"""What one metric takes in ``summary.toml`` beside its name."""
_ENTRY_BYTES = 160


class Room:
    """How much still fits into the small files of a run, which readers refuse when they are too large."""

    def __init__(self) -> None:
        self._taken: dict[str, int] = {}

    def begin(self, file: str, size: int) -> None:
        """Say what a file holds already, of a run that is resumed or joined."""
        self._taken[file] = size

    def take(self, file: str, size: int) -> None:
        """Account for something new in a file.

        Args:
            file: its name in the run's tree.
            size: bytes it takes there, at most.

        Raises:
            InvalidValueError: it does not fit.
        """
        taken = self._taken.get(file, 0) + size
        if taken > MOST_BYTES:
            raise InvalidValueError(f"'{file}' is full: it holds {MOST_BYTES >> 20} MiB", hint="log it as an artifact")
        self._taken[file] = taken


def text_size(text: str) -> int:
    """Bytes of a text in TOML, at most."""
    return len(json.dumps(text))


def checked_text(what: str, value: object) -> str:
    """Anything as the text of a tag or a note.

    Raises:
        InvalidValueError: it is too long.
    """
    text = str(value).encode("utf-8", "backslashreplace").decode()
    if len(text) > LONGEST_TEXT:
        raise InvalidValueError(f"{what} has {len(text)} characters, at most {LONGEST_TEXT} are stored")
    return text


def param_size(name: str, value: ParamValue) -> int:
    """Bytes of a param in ``params.toml``, at most."""
    head = 2 * text_size(name) + 8  # its key and the header of its table
    if isinstance(value, str):
        return head + text_size(value)
    return head + (len(encode_params({name: value})[0]) if isinstance(value, list | dict) else 40)


def entry_size(entry: dict[str, Any]) -> int:
    """Bytes of an artifact or an input in its list, at most."""
    return len(json.dumps(entry)) + _ENTRY_BYTES


def without_secret(name: str, value: Any) -> Any:
    """A param's or tag's value as it is kept: ``***`` where its name means a secret, no credentials in a text.

    >>> without_secret("api_key", "0a1b2c"), without_secret("max_tokens", 5), without_secret("lr", 0.1)
    ('***', 5, 0.1)
    """
    if isinstance(value, list):
        return [without_secret(name, item) for item in value]
    if isinstance(value, dict):
        return {key: without_secret(key, item) for key, item in value.items()}
    if not isinstance(value, str) or not value:
        return value
    if is_secret_name(name):
        return MASK
    if "://" in value and "@" in value:
        return redact_text(value) if any(map(str.isspace, value)) else redact_url(value)
    return redact_text(value) if len(value) > 19 and find_secret(value.encode("utf-8", "replace")) else value
