"""What is known of the signature of what somebody said."""

from __future__ import annotations

from typing import NamedTuple

from gittrack.core.records import Person

UNSIGNED, PRESENT = "none", "present"
GOOD, UNKNOWN, BAD, EXPIRED, REVOKED, UNCHECKED = "good", "unknown", "bad", "expired", "revoked", "unchecked"
_WORTH = (GOOD, UNKNOWN, EXPIRED, UNCHECKED, PRESENT, UNSIGNED, REVOKED, BAD)


class Signature(NamedTuple):
    """A signature.

    Attributes:
        state: ``none``; ``present``, when nobody checked it; ``good``; ``unknown``: good, and nobody knows whose key it
            is; ``bad``; ``expired`` or ``revoked``: its key is; ``unchecked``: it cannot be checked here.
        signer: who signed, as far as git knows; empty when it does not.
    """

    state: str
    signer: str = ""


def better(one: Signature, other: Signature) -> Signature:
    """Of two copies of one thing the one whose signature says more for it."""
    return min(one, other, key=lambda signature: _WORTH.index(signature.state))


def is_by(signature: Signature, author: Person) -> bool:
    """Whether a signer is the author, as far as their names tell: one may sign what says that another said it."""
    signer = signature.signer.casefold()
    return bool(author.email) and author.email.casefold() in (signer, signer.rpartition("<")[2].rstrip(">"))


def signature_text(signature: Signature, author: Person) -> str:
    """What is said of a signature, in brackets behind what it signs; empty when there is none."""
    by = f" by {signature.signer}" if signature.signer else ""
    texts = {
        UNSIGNED: "",
        PRESENT: "signed",
        GOOD: f"good signature{by}" + ("" if is_by(signature, author) else ", who is not the author"),
        UNKNOWN: f"good signature{by}, unknown person",
        BAD: f"BAD signature{by}",
        EXPIRED: f"signature{by} with a key that has expired",
        REVOKED: f"BAD signature{by}: its key is revoked",
        UNCHECKED: "signed; it cannot be checked here",
    }
    return texts[signature.state]
