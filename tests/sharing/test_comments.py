"""Comments: threads that travel, whoever says what first."""

from __future__ import annotations

import json

import pytest

import gittrack
from gittrack.api.comments import comment_run, resolve_thread, take_back, threads_of
from gittrack.api.read import find_run
from gittrack.core.events import fold
from gittrack.core.ids import parse_event_id
from gittrack.core.records import Event, Person, Subject
from gittrack.core.threads import threads
from gittrack.errors import NotFoundError, UsageError


def texts(person, id) -> list[tuple[list[str], bool]]:
    with person.here():
        found = threads_of(find_run(person.project, id))
    return [([comment.text for comment in thread.comments], thread.resolved) for thread in found]


def test_a_thread_travels_both_ways_and_is_settled(people):
    ann, bob = people("ann"), people("bob")
    id = ann.run("first")
    with ann.here():
        first = comment_run(ann.project, id, "why so slow?")
    ann.push()
    bob.fetch()
    with bob.here():
        comment_run(bob.project, id, "the cache was cold", answers=first.handle)
        comment_run(bob.project, id, "Größe stimmt nicht\nzweite Zeile")
        resolve_thread(bob.project, id, first.handle)
    bob.push()
    ann.fetch()
    expected = [(["why so slow?", "the cache was cold"], True), (["Größe stimmt nicht\nzweite Zeile"], False)]
    assert texts(ann, id) == texts(bob, id) == expected
    with ann.here():
        assert [run.name for run in gittrack.search_runs("text('zweite')", output_format="list")] == ["first"]
        resolve_thread(ann.project, id, first.handle, resolved=False)
    assert texts(ann, id)[0][1] is False


def test_only_ones_own_comment_is_taken_back(people):
    ann, bob = people("ann"), people("bob")
    id = ann.run("first")
    with ann.here():
        said = comment_run(ann.project, id, "wrong")
        comment_run(ann.project, id, "an answer", answers=said.handle)
    ann.push()
    bob.fetch()
    with bob.here(), pytest.raises(UsageError, match="who alone can take it back"):
        take_back(bob.project, id, said.handle)
    with ann.here():
        take_back(ann.project, id, said.handle)
        with pytest.raises(NotFoundError, match="no comment"):
            comment_run(ann.project, id, "too late", answers=said.handle)
    assert texts(ann, id) == [(["an answer"], False)]


def test_comments_that_answer_each_other_in_a_circle_are_shown():
    ids = [parse_event_id(f"{number:032x}") for number in (1, 2, 3)]
    events = [
        Event(id, "comment", Subject("run", "a" * 32), 1, Person("Eve", "e@x"), "eve", key=answers, value=str(number))
        for number, (id, answers) in enumerate(zip(ids, (ids[1], ids[0], ids[0]), strict=True))
    ]
    found = threads(fold({}, events))
    assert [[comment.text for comment in thread.comments] for thread in found] == [["0", "1", "2"]]


def test_the_command_line_says_answers_and_lists(repo, gittrack_cli):
    with gittrack.start_run(name="first"):
        pass
    assert gittrack_cli("comment", "first", "-", stdin="one\x1b[2J\ntwo\n").returncode == 0
    shown = gittrack_cli("comment", "first").stdout
    assert "Test User, " in shown
    assert "one\\x1b[2J" in shown
    (thread,) = json.loads(gittrack_cli("comment", "first", "--json").stdout)["threads"]
    handle = thread["comments"][0]["id"][-6:]
    assert gittrack_cli("comment", "first", "--reply", handle, "because").returncode == 0
    assert gittrack_cli("comment", "first", "--resolve", handle).returncode == 0
    assert gittrack_cli("comment", "first").stdout.rstrip().endswith("(settled)")
    assert gittrack_cli("comment", "first", "--reply", "zzz", "x").returncode == 3
    assert gittrack_cli("comment", "first", "  ").returncode == 2
