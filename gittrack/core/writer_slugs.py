"""Slugs ``[a-z0-9-]`` that name people's ledgers."""

from __future__ import annotations

import re

SLUG_LIMIT = 40


def slug(text: str) -> str:
    """A text as a slug, at most 40 characters; empty when it holds neither letter nor digit.

    >>> slug("Zoé Martin")
    'zoe-martin'
    """
    import unicodedata

    plain = unicodedata.normalize("NFKD", text[:1000]).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:SLUG_LIMIT].rstrip("-")


def mail_slug(email: str) -> str:
    """The slug of whoever has an e-mail address: the part before the ``@``; GitHub's ``1234+login@`` gives ``login``.

    >>> mail_slug("Zoe.Martin@example.com"), mail_slug("1234+zoe@users.noreply.github.com")
    ('zoe-martin', 'zoe')
    """
    local, _, domain = email.partition("@")
    if domain.endswith("users.noreply.github.com"):
        local = local.partition("+")[2] or local
    return slug(local)
