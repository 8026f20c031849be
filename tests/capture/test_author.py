from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gittrack.capture.author import author, host, writer_slug
from gittrack.core.records import Person


def test_variables_win_over_configuration() -> None:
    config = {"user.name": "Ann", "user.email": "ann@example.com"}
    assert author(config, {"GIT_AUTHOR_NAME": "Bob"}) == Person("Bob", "ann@example.com")
    assert author(config | {"author.email": "ann@work"}, {}) == Person("Ann", "ann@work")


def test_without_any_configuration_the_login_at_this_host_stands_in() -> None:
    assert author({}, {"LOGNAME": "ann"}) == Person("ann", f"ann@{host()}")
    nobody = author({}, {})
    assert nobody.name
    assert nobody.email.partition("@")[0] == nobody.name


def test_the_author_is_the_one_that_git_would_name(repo: Path, git: Any) -> None:
    git("config", "user.name", "  Zoé <Martin>\t", cwd=repo)
    git("config", "user.email", "<zoe@example.com>", cwd=repo)
    config = {key: git("config", key, cwd=repo).rstrip("\n") for key in ("user.name", "user.email")}
    ident = git("var", "GIT_AUTHOR_IDENT", cwd=repo)
    person = author(config, {})
    assert ident.startswith(f"{person.name} <{person.email}> ")


@given(st.text(), st.text())
def test_no_name_or_address_can_break_out_of_a_git_ident(name: str, email: str) -> None:
    person = author({"user.name": name, "user.email": email}, {"LOGNAME": "ann"})
    for text in (person.name, person.email):
        assert text
        assert not re.search(r"[<>\x00-\x1f\x7f]", text)
        text.encode()


@pytest.mark.parametrize(
    ("config", "person", "environ", "expected"),
    [
        (None, Person("Zoé", "Zoe.Martin@example.com"), {}, "zoe-martin"),
        (None, Person("A", "1234+octo-cat@users.noreply.github.com"), {}, "octo-cat"),
        (None, Person("A", "octo@users.noreply.github.com"), {}, "octo"),
        (None, Person("Ann", "ann@example.com"), {"CI": "true"}, "ci"),
        ("Team Vision", Person("Ann", "ann@example.com"), {"CI": "true"}, "team-vision"),
        ("***", Person("Ann", "ann@example.com"), {}, "ann"),
        (None, Person("Ann Lee", "李@example.com"), {}, "ann-lee"),
        (None, Person("Ann", "a" * 60 + "@x"), {}, "a" * 40),
    ],
)
def test_a_slug_comes_from_the_configuration_then_ci_then_the_address(
    config: str | None, person: Person, environ: dict[str, str], expected: str
) -> None:
    assert writer_slug(config, person, environ) == expected


@given(st.none() | st.text(), st.text(), st.text())
def test_a_slug_is_always_fit_for_a_ref_and_stable(config: str | None, name: str, email: str) -> None:
    slug = writer_slug(config, Person(name, email), {})
    assert re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?", slug)
    assert slug == writer_slug(config, Person(name, email), {})


def test_people_whose_names_have_no_latin_letter_still_differ() -> None:
    assert writer_slug(None, Person("李", "李@x"), {}) != writer_slug(None, Person("王", "王@x"), {})
