"""Ids: 32 hex digits for runs (random) and events (time-ordered), opaque strings for git objects.

Randomness and time are arguments: this module has neither. Ids are lower case. Run ids are random so that short
prefixes are unique; event ids are the 128 bits of a ULID (https://github.com/ulid/spec: 48 bits of milliseconds,
80 random bits), so that sorting by id is sorting by time.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NewType

from gittrack.errors import InvalidNameError

RunId = NewType("RunId", str)
EventId = NewType("EventId", str)
ExperimentId = NewType("ExperimentId", str)
ObjectId = NewType("ObjectId", str)
"""A git object id in hex: opaque, 40 digits today, 64 in a SHA-256 repository."""
ModelId = NewType("ModelId", str)
"""The id of a logged model: ``m-`` and 32 hex digits, as MLflow writes it."""
RefName = NewType("RefName", str)
"""A full ref name, beginning with ``refs/``."""

_HEX32 = re.compile(r"[0-9a-f]{32}")
_MODEL = re.compile(r"m-[0-9a-f]{32}")
_OBJECT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_EXPERIMENT = re.compile(r"0|[1-9][0-9]{17}")
DEFAULT_EXPERIMENT = "Default"


def parse_run_id(text: str) -> RunId:
    """Check that ``text`` is a run id.

    Raises:
        InvalidNameError: it is not 32 lower-case hex digits.

    >>> parse_run_id("0123456789abcdef0123456789abcdef")
    '0123456789abcdef0123456789abcdef'
    """
    if not _HEX32.fullmatch(text):
        raise InvalidNameError(f"'{text[:80]}' is not a run id (32 hex digits)", hint="gittrack ls")
    return RunId(text)


def parse_event_id(text: str) -> EventId:
    """Check that ``text`` is an event id; raises InvalidNameError otherwise."""
    if not _HEX32.fullmatch(text):
        raise InvalidNameError(f"'{text[:80]}' is not an event id (32 hex digits)")
    return EventId(text)


def parse_model_id(text: str) -> ModelId:
    """Check that ``text`` is the id of a logged model; raises InvalidNameError otherwise."""
    if not _MODEL.fullmatch(text):
        raise InvalidNameError(f"'{text[:80]}' is not the id of a model (m- and 32 hex digits)")
    return ModelId(text)


def parse_object_id(text: str) -> ObjectId:
    """Check that ``text`` is a full git object id; raises InvalidNameError otherwise."""
    if not _OBJECT.fullmatch(text):
        raise InvalidNameError(f"'{text[:80]}' is not a git object id")
    return ObjectId(text)


def parse_experiment_id(text: str) -> ExperimentId:
    """Check that ``text`` is an experiment id: ``0`` or 18 decimal digits; raises InvalidNameError otherwise."""
    if not _EXPERIMENT.fullmatch(text):
        raise InvalidNameError(f"'{text[:80]}' is not an experiment id")
    return ExperimentId(text)


def run_id_from(random: bytes) -> RunId:
    """A run id from 16 random bytes."""
    return RunId(random[:16].hex())


def model_id_from(random: bytes) -> ModelId:
    """The id of a logged model from 16 random bytes."""
    return ModelId(f"m-{random[:16].hex()}")


def event_id_from(milliseconds: int, random: bytes) -> EventId:
    """An event id from a time (ms since the epoch, UTC) and 10 random bytes: the 128 bits of a ULID."""
    clamped = min(max(milliseconds, 0), (1 << 48) - 1)
    return EventId(clamped.to_bytes(6, "big").hex() + random[:10].hex())


def experiment_id(first_name: str, given_up_by: ExperimentId | None = None) -> ExperimentId:
    """The id of an experiment, the same in every clone that creates one of that name apart.

    10^17 + (first 8 bytes of the SHA-256 of the name in NFC) mod 9*10^17, in decimal; ``0`` for ``Default``.

    Args:
        first_name: the name the experiment was created with.
        given_up_by: the experiment that had this name before a rename, when the name is used again.

    >>> experiment_id("Default")
    '0'
    """
    name = unicodedata.normalize("NFC", first_name)
    if given_up_by is None and name == DEFAULT_EXPERIMENT:
        return ExperimentId("0")
    import hashlib  # loads OpenSSL: not where nothing is hashed

    hashed = name.encode() if given_up_by is None else name.encode() + b"\0" + given_up_by.encode()
    number = int.from_bytes(hashlib.sha256(hashed).digest()[:8], "big")
    return ExperimentId(str(10**17 + number % (9 * 10**17)))
