"""Remembered ledgers that a remote no longer has as they are remembered, until somebody accepts that.

They stay in use for reading. But what only they list is not at the remote any more, so it does not count as shared.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable

from gittrack.core.ids import RefName
from gittrack.core.refs import REMOTE_PREFIX
from gittrack.errors import StorageError
from gittrack.git.failures import disk_hint
from gittrack.store.layout import Layout

_MOST = 4 << 20


def read_doubtful(layout: Layout) -> frozenset[RefName]:
    """The names of such ledgers."""
    try:
        with open(layout.doubtful_file, "rb") as file:
            found = json.loads(file.read(_MOST))
    except (OSError, ValueError, RecursionError):
        return frozenset()
    names = found if isinstance(found, list) else []
    return frozenset(RefName(name) for name in names if isinstance(name, str))


def write_doubtful(layout: Layout, slug: str, names: Iterable[RefName]) -> None:
    """Remember those of one remote, instead of what was known of it.

    Raises:
        StorageError: it cannot be written.
    """
    known = read_doubtful(layout)
    prefix = f"{REMOTE_PREFIX}{slug}/"
    now = frozenset(name for name in known if not name.startswith(prefix)) | frozenset(names)
    if now == known:
        return
    path = layout.doubtful_file
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        fresh.write_text(json.dumps(sorted(now), indent=1) + "\n", encoding="utf-8")
        os.replace(fresh, path)
    except OSError as error:
        text = f"cannot write '{path}': {error.strerror}"
        raise StorageError(text, hint=disk_hint(error, path.parent)) from error
    finally:
        fresh.unlink(missing_ok=True)
