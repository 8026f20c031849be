"""The version of the format, looked at before anything else is read."""

from __future__ import annotations

from gittrack.core.records import FORMAT_VERSION
from gittrack.errors import CorruptRecordError, UnsupportedFormatError


def check_version(found: int, what: str) -> None:
    """Refuse a format this version does not know, before anything else is read.

    Raises:
        UnsupportedFormatError: ``found`` is newer than FORMAT_VERSION.
        CorruptRecordError: ``found`` is 0: versions count from 1.
    """
    if found < 1:
        raise CorruptRecordError(f"{what} is damaged: there is no format {found}", hint="gittrack fsck")
    if found > FORMAT_VERSION:
        raise UnsupportedFormatError(
            f"{what} is in format {found}, this gittrack reads up to {FORMAT_VERSION}",
            hint="pip install --upgrade gittrack",
        )
