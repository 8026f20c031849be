"""How a person names a run: an id or a prefix of one, a name, ``@latest``, ``@-2``, a git revision."""

from __future__ import annotations

import re

from gittrack.errors import InvalidNameError
from gittrack.frozen import dataclass

_BACK = re.compile(r"@-([1-9][0-9]{0,6})")
_PREFIX = re.compile(r"[0-9a-f]{1,32}")


@dataclass(frozen=True, slots=True)
class Address:
    """A parsed address.

    Attributes:
        text: as given: a name or a git revision may be meant.
        prefix: the text when it can be the beginning of a run id.
        back: how many runs back, 1 the latest, when it says ``@latest`` or ``@-N``.
    """

    text: str
    prefix: str | None = None
    back: int | None = None


def parse_address(text: str) -> Address:
    """Read an address.

    Raises:
        InvalidNameError: empty, too long, or ``@`` followed by something else.

    >>> parse_address("@-2").back
    2
    """
    if not text or len(text) > 1000:
        raise InvalidNameError("the address of a run is empty or too long", hint="gittrack ls")
    if text in ("@latest", "@"):
        return Address(text, back=1)
    match = _BACK.fullmatch(text)
    if match:
        return Address(text, back=int(match[1]))
    if text.startswith("@"):
        raise InvalidNameError(f"'{text[:80]}' is neither @latest nor @-N", hint="gittrack show @latest")
    return Address(text, prefix=text.lower() if _PREFIX.fullmatch(text.lower()) else None)
