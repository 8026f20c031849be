"""Who runs this, and the name of the ledger they write to."""

from __future__ import annotations

import os
from collections.abc import Mapping

from gittrack.capture.ci import ci_job
from gittrack.capture.redaction import storable
from gittrack.core.records import Person
from gittrack.core.writer_slugs import mail_slug, slug

_IDENT_LIMIT = 250
_NOT_IN_AN_IDENT = dict.fromkeys([*range(32), 127, ord("<"), ord(">")])


def author(git_config: Mapping[str, str], environ: Mapping[str, str]) -> Person:
    """The person git would name as author: variables first, then configuration, then ``login@host``.

    Args:
        git_config: git's configuration, keys in lower case (``user.name``).
        environ: the process's environment.

    >>> author({"user.name": "Ann", "user.email": "ann@example.com"}, {})
    Person(name='Ann', email='ann@example.com')
    """
    names = (environ.get("GIT_AUTHOR_NAME"), git_config.get("author.name"), git_config.get("user.name"))
    emails = (
        environ.get("GIT_AUTHOR_EMAIL"),
        git_config.get("author.email"),
        git_config.get("user.email"),
        environ.get("EMAIL"),
    )
    name = next(filter(None, map(_ident, names)), "")
    email = next(filter(None, map(_ident, emails)), "")
    login = "" if name and email else _login(environ)
    return Person(name or login, email or f"{login}@{_ident(host()) or 'localhost'}")


def host() -> str:
    """This machine's name on the network, ``""`` when it has none."""
    if hasattr(os, "uname"):
        return storable(os.uname().nodename)
    import platform  # costs milliseconds, and only Windows needs it

    return storable(platform.node())


def writer_slug(config_writer: str | None, person: Person, environ: Mapping[str, str]) -> str:
    """The slug ``[a-z0-9-]`` (1 to 40 characters) that names a person's ledgers, the same on all their machines.

    Args:
        config_writer: ``gittrack.writer``, which wins when it holds a letter or a digit.
        person: whose e-mail address, or else name, makes the slug; GitHub's ``1234+login@`` gives ``login``.
        environ: in CI the slug is ``ci``.

    >>> writer_slug(None, Person("Zoé", "Zoe.Martin@example.com"), {})
    'zoe-martin'
    """
    chosen = slug(config_writer or "")
    if chosen:
        return chosen
    if ci_job(environ):
        return "ci"
    return mail_slug(person.email) or slug(person.name) or _digest_slug(person)


def _digest_slug(person: Person) -> str:
    import hashlib

    return "w-" + hashlib.sha256(f"{person.name}\0{person.email}".encode("utf-8", "replace")).hexdigest()[:12]


def _ident(text: str | None) -> str:
    """What git keeps of a name or an address: no control characters, no angle brackets."""
    return storable(text or "").translate(_NOT_IN_AN_IDENT).strip()[:_IDENT_LIMIT]


def _login(environ: Mapping[str, str]) -> str:
    found = next((environ[name] for name in ("LOGNAME", "USER", "LNAME", "USERNAME") if environ.get(name)), "")
    return _ident(found) or _login_of_uid()


def _login_of_uid() -> str:
    try:
        import pwd

        return _ident(pwd.getpwuid(os.getuid()).pw_name) or "unknown"
    except (ImportError, KeyError):
        return "unknown"  # Windows, or a container run under a uid nobody registered
