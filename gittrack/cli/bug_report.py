"""What is kept of an error nobody foresaw: traceback and versions, in a file that can be sent."""

from __future__ import annotations

import platform
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

from gittrack._version import __version__
from gittrack.core.redact import redact_text


def write_bug_report(error: BaseException, words: Sequence[str], environ: Mapping[str, str]) -> Path:
    """Write a report that only its owner can read.

    Args:
        error: what happened.
        words: the command line, without the program.
        environ: environment variables; ``XDG_STATE_HOME`` says where state is kept.

    Returns:
        The file: in the user's state directory, or else in that for temporary files.
    """
    trace = "".join(traceback.format_exception(error))
    text = redact_text(
        f"gittrack {__version__}, Python {platform.python_version()}, {platform.platform()}\n"
        f"$ gittrack {' '.join(words)}\n\n{trace}"
    )
    name = f"bug-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-"
    for folder in (_state_folder(environ), Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(
                "w", encoding="utf-8", errors="backslashreplace", dir=folder, prefix=name, suffix=".log", delete=False
            ) as file:
                file.write(text)
            return Path(file.name)
        except OSError:
            continue  # no home, or a read-only one: the next folder
    sys.stderr.write(text)  # nowhere to keep it: better on the terminal than lost
    return Path("what stands above")


def _state_folder(environ: Mapping[str, str]) -> Path:
    base = environ.get("XDG_STATE_HOME", "")
    return (Path(base) if base.startswith("/") else Path(environ.get("HOME", "/nowhere")) / ".local/state") / "gittrack"
