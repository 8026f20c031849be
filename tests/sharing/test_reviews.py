"""Reviews: asked for, given, changed, withdrawn, by several people who do not wait for each other."""

from __future__ import annotations

import json

import pytest

import gittrack
from gittrack.api.read import find_run
from gittrack.api.reviews import ACCEPTED, REJECTED, REQUESTED, review_run, reviews_of, standing_of, withdraw_review
from gittrack.errors import NotFoundError, UsageError


def said(person, id) -> tuple[str, list[tuple[str, str, str]]]:
    with person.here():
        run = find_run(person.project, id)
    return standing_of(run), [(review.author.name, review.verdict, review.text) for review in reviews_of(run)]


def test_a_review_is_asked_for_given_and_changed(people):
    ann, bob, eve = people("ann"), people("bob"), people("eve")
    id = ann.run("first")
    with ann.here():
        review_run(ann.project, id, REQUESTED, "please look", asked="bob")
    ann.push()
    for person, verdict, text in ((bob, REJECTED, "leaks the test set"), (eve, ACCEPTED, "")):
        person.fetch()
        with person.here():
            review_run(person.project, id, verdict, text)
        person.push()
    ann.fetch()
    everything = [
        ("Ann", "requested", "please look"),
        ("Bob", "rejected", "leaks the test set"),
        ("Eve", "accepted", ""),
    ]
    assert said(ann, id) == ("rejected", everything)
    with bob.here():
        review_run(bob.project, id, ACCEPTED, "mended")
    bob.push()
    ann.fetch()
    assert said(ann, id)[0] == "accepted"
    assert ("Bob", "accepted", "mended") in said(ann, id)[1]
    with bob.here():
        withdraw_review(bob.project, id)
        with pytest.raises(NotFoundError, match="you said nothing"):
            withdraw_review(bob.project, id)
    bob.push()
    ann.fetch()
    assert [name for name, _, _ in said(ann, id)[1]] == ["Ann", "Eve"]


def test_a_run_that_goes_on_is_not_judged(people):
    ann = people("ann")
    with ann.here(), gittrack.start_run(name="live", strict=True) as run:
        review_run(ann.project, run.id, REQUESTED)
        with pytest.raises(UsageError, match="has not ended"):
            review_run(ann.project, run.id, ACCEPTED)


def test_the_command_line(people, gittrack_cli):
    ann = people("ann")
    ann.run("first")
    assert gittrack_cli("review", "show", "first", cwd=ann.folder).stdout == ""
    assert gittrack_cli("review", "request", "first", "see \x1b[2J", "--from", "bob", cwd=ann.folder).returncode == 0
    assert gittrack_cli("review", "reject", "first", "no", cwd=ann.folder).returncode == 0
    shown = gittrack_cli("review", "show", "first", cwd=ann.folder).stdout
    assert shown.startswith("rejected\n")
    assert "requested from bob by Ann" in shown
    assert "\x1b" not in shown
    document = json.loads(gittrack_cli("review", "show", "first", "--json", cwd=ann.folder).stdout)
    assert (document["standing"], len(document["reviews"])) == ("rejected", 2)
    assert "rejected: gittrack review show" in gittrack_cli("show", "first", cwd=ann.folder).stdout
    assert gittrack_cli("review", "withdraw", "first", cwd=ann.folder).returncode == 0
    assert gittrack_cli("review", "show", "first", "--json", cwd=ann.folder).stdout.count("verdict") == 0
