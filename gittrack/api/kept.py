"""What a run keeps of what it is given: no credentials, and no more than its files can hold.

Both are checked when something is logged, where one value is refused, rather than at the run's end, where the whole run
would be.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from gittrack.api.guarded import warn
from gittrack.capture.redaction import names_secret
from gittrack.core.names import display
from gittrack.core.params import encode_params
from gittrack.core.records import ParamValue
from gittrack.core.redact import MASK, is_secret_name, opens, redact_text, redact_url
from gittrack.errors import InvalidValueError

MOST_BYTES = 15 << 19
"""Bytes of one small file of a run (``params.toml``, …): a little less than what readers take."""
LONGEST_TEXT = 1 << 20
"""Characters of a tag or a note."""
SUMMARY_BYTES = 220
"""What one metric takes in ``summary.toml`` beside its name."""
_ENTRY_BYTES = 160
_ONLY_URL = re.compile(r"\s*[A-Za-z][A-Za-z0-9+.:-]*//\S*")


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


def kept_name(kind: str, name: str, check: Callable[[str], str]) -> str:
    """A name as it is kept, after a line on stderr when that is not as it was given.

    Args:
        kind: what it names: ``a run``, ``a tag``.
        name: as it was given.
        check: one of :mod:`gittrack.core.names`, which masks credentials of known shapes.

    Raises:
        InvalidNameError: the name is against its grammar.
    """
    kept = check(name)
    if kept != name:
        warn(masked_name(kind, kept))
    return kept


def masked_name(kind: str, kept: str) -> str:
    """What is said of a name that held a secret."""
    return f"the name of {kind} holds a secret and is kept as '{display(kept, 60)}'"


def without_secret(name: str, value: Any) -> Any:
    """A param's, tag's or note's value as it is kept.

    What stands under a name that means a secret is ``***``, whatever its type (``None``, a truth and nothing at all
    tell nobody anything). A URL that logs in, or whose query signs or opens something, loses both; other queries stay.
    Every other text is judged as output is, and a list of texts as a command line.

    Args:
        name: the param's or tag's name; empty for a note.
        value: what is to be kept.

    >>> without_secret("api_key", 1234), without_secret("max_tokens", 5), without_secret("lr", 0.1)
    ('***', 5, 0.1)
    >>> without_secret("data", "https://host/a.csv?X-Amz-Signature=0a1b2c"), without_secret("page", "https://host/?p=2")
    ('https://host/a.csv', 'https://host/?p=2')
    >>> without_secret("cmd", ["train", "--password", "hunter2"]), without_secret("", "password: hunter2")
    (['train', '--password', '***'], 'password: ***')
    """
    if isinstance(value, list):
        return _words_without_secrets([without_secret(name, item) for item in value])
    is_secret = _means_secret(name)
    if isinstance(value, dict):
        return {key: without_secret(name if is_secret else key, item) for key, item in value.items()}
    if value is None or isinstance(value, bool) or value == "":
        return value
    if is_secret:
        return MASK
    return _without_credentials(value) if isinstance(value, str) else value


def _words_without_secrets(words: list[Any]) -> list[Any]:
    """What follows an option such as ``--password`` is its value."""
    for place, (option, value) in enumerate(pairwise(words), 1):
        is_option = isinstance(option, str) and option.startswith("-") and "=" not in option and names_secret(option)
        if is_option and isinstance(value, str | int | float) and not str(value).startswith("--"):
            words[place] = MASK
    return words


def _means_secret(name: str) -> bool:
    """Whether the name, or one that it stands under (``secrets.db``), means a secret; ``token.size`` is a model's."""
    if is_secret_name(name):
        return True
    return any(is_secret_name(part) and part.lower() != "token" for part in name.split(".")[:-1])


def _without_credentials(text: str) -> str:
    if "//" in text and _ONLY_URL.fullmatch(text) and opens(text):
        text = redact_url(text)
    return redact_text(text)
