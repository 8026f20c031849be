"""What went wrong, as text that is fit to store: secrets masked, length bounded."""

from __future__ import annotations

from gittrack.capture.redaction import storable
from gittrack.core.redact import redact_text

_LINE_LIMIT = 500


def format_traceback(error: BaseException, limit: int = 64 * 1024) -> str:
    """The traceback of an error with its causes, as Python prints it, secrets masked.

    Args:
        error: any exception, also one whose ``str()`` fails.
        limit: bytes of UTF-8 kept at most; what is longer loses its middle, which a line says.
    """
    import traceback

    text = storable("".join(traceback.format_exception(error)))
    # Masking takes time in proportion: a gigantic message is first cut coarsely, wider than the final cut, so that a
    # secret torn in two by the coarse cut is dropped by the final one.
    return _without_middle(redact_text(_without_middle(text, limit * 4)), limit)


def one_line(error: BaseException) -> str:
    """The error's kind and the first line of its message, secrets masked, at most 500 characters.

    >>> one_line(ValueError("no such file: x"))
    'ValueError: no such file: x'
    """
    kind = type(error).__qualname__
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 - a user's __str__ may raise anything, and that is no news about the run
        return f"{kind}: <unprintable>"
    lines = redact_text(storable(message[: 20 * _LINE_LIMIT])).strip().splitlines()
    text = f"{kind}: {lines[0]}" if lines else kind
    return text if len(text) <= _LINE_LIMIT else text[: _LINE_LIMIT - 1] + "…"


def _without_middle(text: str, limit: int) -> str:
    data = text.encode()
    if len(data) <= limit:
        return text
    marker = f"\n… {len(data) - limit} bytes left out …\n"
    room = max(limit - len(marker.encode()) - 20, 0)  # 20: digits and cut characters
    tail = data[len(data) - (room - room // 2) :] if room else b""
    head = data[: room // 2].decode("utf-8", "ignore")
    return head + marker + tail.decode("utf-8", "ignore")
