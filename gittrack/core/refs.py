"""The names of our refs (docs/format.md, "Refs"); ``parsed_refs.py`` reads them.

Every kind of name has its own depth, lower case, ``[a-z0-9-]``.
"""

from __future__ import annotations

import re

from gittrack.core.ids import EventId, RefName, RunId
from gittrack.errors import InvalidNameError

INBOX_PREFIX = "refs/runs/inbox/"
LOCAL_PREFIX = "refs/runs/local/"
HOLD_PREFIX = "refs/runs/hold/"
RUNS_PREFIX = "refs/runs/"
REMOTE_PREFIX = "refs/runs-remote/"

MONTH = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])")
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")


def inbox_ref(id: RunId | EventId) -> RefName:
    """The inbox ref of a run or an event."""
    return RefName(INBOX_PREFIX + id)


def hold_ref(id: RunId) -> RefName:
    """The ref that holds a live run's snapshot."""
    return RefName(HOLD_PREFIX + id)


def local_ledger_ref(month: str) -> RefName:
    """The local ledger of a month, ``yyyy-mm``.

    Raises:
        InvalidNameError: ``month`` is not a month.
    """
    if not MONTH.fullmatch(month):
        raise InvalidNameError(f"'{month[:20]}' is not a month (yyyy-mm)")
    return RefName(LOCAL_PREFIX + month)


def is_writer(text: str) -> bool:
    """Whether ``text`` can name a writer or a remote inside a ref: ``[a-z0-9-]``, 1 to 40 characters."""
    return _SLUG.fullmatch(text) is not None
