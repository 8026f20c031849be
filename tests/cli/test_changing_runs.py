"""``tag``, ``note``, ``rename``, ``rm``, ``restore`` and ``log``."""

from __future__ import annotations

import io
import json
import sys

import pytest

import gittrack

from .conftest import settled


@pytest.fixture
def shown(cli):
    return lambda address: json.loads(cli("show", address, "--json").out)["run"]


def test_tags_are_set_changed_and_removed(cli, record, shown):
    id = record("one")
    answer = cli("tag", "one", "stage=dev", "empty=", "eq=a=b")
    assert (answer.code, answer.out) == (0, "")
    assert answer.err.splitlines() == [
        "gittrack: tag 'stage' is 'dev' on run 'one'",
        "gittrack: tag 'empty' is '' on run 'one'",
        "gittrack: tag 'eq' is 'a=b' on run 'one'",
        f"gittrack: next: gittrack show {id[:8]}",
    ]
    assert shown("one")["tags"] == {"stage": "dev", "empty": "", "eq": "a=b"}
    assert cli("tag", "one", "stage=best", "--delete", "empty", "--delete", "eq").code == 0
    assert shown("one")["tags"] == {"stage": "best"}


def test_what_is_said_of_a_tag_is_what_is_kept(cli, record, shown):
    record("one")
    answer = cli("tag", "one", "password=hunter2", "cmd=train --api-key hunter2")
    assert "tag 'password' is '***' on run 'one'" in answer.err
    assert "tag 'cmd' is 'train --api-key ***' on run 'one'" in answer.err
    assert "hunter2" not in answer.err
    assert shown("one")["tags"] == {"password": "***", "cmd": "train --api-key ***"}


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--json", "a=1"), 2),
        (("nosign",), 2),
        (("=x",), 2),
        (("a=1", "a=2"), 2),
        (("a=1", "--delete", "a"), 2),
        (("--delete", "missing"), 3),
        (("k" * 1001 + "=1",), 2),
    ],
)
def test_a_tag_that_makes_no_sense_changes_nothing(cli, record, shown, words, code):
    record("one", tags={"kept": "yes"})
    assert cli("tag", "one", *words).code == code
    assert shown("one")["tags"] == {"kept": "yes"}


def test_the_tags_of_a_run_are_printed_as_they_are_typed(cli, record):
    id = record("one", tags={"stage": "dev", "empty": "", "a": "x=y\x1b[0m"})
    assert cli("tag", "one").out == "a=x=y\\x1b[0m\nempty=\nstage=dev\n"
    document = json.loads(cli("tag", id, "--json").out)
    assert document == {"schema": 1, "tags": {"a": "x=y\x1b[0m", "empty": "", "stage": "dev"}}
    cli("tag", "one", "--delete", "a", "--delete", "empty", "--delete", "stage")
    answer = cli("tag", "one")
    assert (answer.code, answer.out) == (0, "")
    assert answer.err == f"gittrack: run 'one' has no tags; set one: gittrack tag {id[:8]} stage=best\n"


def test_a_note_is_written_printed_and_removed(cli, record, shown):
    record("one")
    assert cli("note", "one").err == "gittrack: run 'one' has no note; write one: gittrack note one TEXT\n"
    assert cli("note", "one", "first\nsecond\x1b[0m").code == 0
    assert cli("note", "one").out == "first\nsecond\\x1b[0m\n"
    assert json.loads(cli("note", "one", "--json").out) == {"schema": 1, "note": "first\nsecond\x1b[0m"}
    assert "is removed" in cli("note", "one", "").err
    assert shown("one")["note"] == ""


def test_a_note_is_read_from_standard_input(cli, record, shown, monkeypatch):
    record("one")
    monkeypatch.setattr(sys, "stdin", io.StringIO("from\nstdin\n"))
    assert cli("note", "one", "-").code == 0
    assert shown("one")["note"] == "from\nstdin"


def test_a_note_is_changed_in_the_editor(cli, record, shown, monkeypatch, tmp_path):
    record("one")
    cli("note", "one", "before")
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsleep 0.01\necho after >> "$1"\ntouch -d \'+1 day\' "$1"\n')
    editor.chmod(0o755)
    monkeypatch.setenv("GIT_EDITOR", str(editor))
    assert cli("note", "one", "--edit").code == 0
    assert shown("one")["note"] == "before\nafter"
    monkeypatch.setenv("GIT_EDITOR", "true")
    assert cli("note", "one", "--edit").err == "gittrack: the note is as it was\n"
    monkeypatch.setenv("GIT_EDITOR", "false")
    assert cli("note", "one", "--edit").code == 1
    assert shown("one")["note"] == "before\nafter"


def test_text_edit_and_json_exclude_each_other(cli, record):
    record("one")
    assert cli("note", "one", "text", "--edit").code == 2
    assert cli("note", "one", "--edit", "--json").code == 2


def test_a_run_gets_another_name_and_keeps_its_id(cli, record, shown):
    id = record("one")
    answer = cli("rename", "one", "other")
    assert answer.err == f"gittrack: run {id[:8]} is 'other' now\ngittrack: next: gittrack show {id[:8]}\n"
    assert shown("other")["id"] == id
    assert cli("rename", "other", "two\nlines").code == 2
    assert cli("show", "one").code == 3


def test_runs_are_deleted_and_restored(cli, record):
    one, two = record("one"), record("two")
    answer = cli("rm", "--yes", "one", "two")
    assert (answer.code, answer.out) == (0, "")
    assert answer.err.splitlines() == [
        f"gittrack: deleted run 'one'; bring it back: gittrack restore {one[:8]}",
        f"gittrack: deleted run 'two'; bring it back: gittrack restore {two[:8]}",
    ]
    assert json.loads(cli("ls", "--json").out)["runs"] == []
    assert cli("rm", "-y", "one").code == 5
    answer = cli("restore", "one", two[:8])
    assert (answer.code, len(json.loads(cli("ls", "--json").out)["runs"])) == (0, 2)
    assert answer.err.splitlines()[0] == f"gittrack: run 'one' is back: gittrack show {one[:8]}"
    assert cli("restore", "one").code == 5


def test_addresses_mean_what_they_meant_when_they_were_typed(cli, record):
    record("one"), record("two"), record("three")
    assert cli("rm", "--yes", "@latest", "@-2").code == 0
    assert [run["name"] for run in json.loads(cli("ls", "--json").out)["runs"]] == ["one"]


def test_nothing_is_deleted_when_one_run_is_not_found(cli, record):
    record("one")
    assert cli("rm", "--yes", "one", "nope").code == 3
    assert len(json.loads(cli("ls", "--json").out)["runs"]) == 1


def test_a_dry_run_deletes_nothing_and_says_how(cli, record):
    id = record("one")
    answer = cli("rm", "--dry-run", "one")
    assert (answer.code, answer.out) == (0, f"{id[:8]}  one\n")
    assert answer.err == f"gittrack: nothing is deleted; to do it: gittrack rm {id[:8]}\n"
    assert len(json.loads(cli("ls", "--json").out)["runs"]) == 1


def test_nothing_is_deleted_when_nobody_can_be_asked(gittrack_cli, repo, record):
    id = record("one")
    done = gittrack_cli("rm", "one")
    assert done.returncode == 2
    assert done.stderr.endswith(f"hint: gittrack rm --yes {id[:8]}\n")
    assert len(json.loads(gittrack_cli("ls", "--json").stdout)["runs"]) == 1


@pytest.mark.parametrize(("answer", "left", "code"), [("y\n", 0, 0), ("n\n", 1, 130), ("\n", 1, 130)])
def test_on_a_terminal_one_is_asked(cli, record, in_terminal, answer, left, code):
    record("one")
    shown, ended = in_terminal("rm", "one", typed=answer)
    assert "delete 1 run? [y/N]" in shown
    assert ended == code
    assert len(json.loads(cli("ls", "--json").out)["runs"]) == left


def test_a_live_run_is_not_deleted(cli, repo):
    gittrack.start_run(name="alive")
    answer = cli("rm", "--yes", "alive")
    assert answer.code == 5
    assert "run 'alive' has not ended" in answer.err


def test_what_is_said_of_a_live_run_shows_at_once_and_stands_whatever_its_program_says_later(cli, repo):
    run = gittrack.start_run(name="alive", tags={"stage": "dev", "size": "s"})
    for words in (
        ("tag", "alive", "stage=prod", "new=1"),
        ("note", "alive", "looks good"),
        ("rename", "alive", "best"),
    ):
        assert cli(*words).code == 0, words
    live = gittrack.get_run("best")
    assert (live.status.value, live.note) == ("running", "looks good")
    assert live.tags == {"stage": "prod", "size": "s", "new": "1"}
    run.set_tag("stage", "test")
    run.set_tag("size", "m")
    run.end()
    saved = gittrack.get_run(run.id)
    assert (saved.name, saved.note, saved.status.value) == ("best", "looks good", "finished")
    assert saved.tags == {"stage": "prod", "size": "m", "new": "1"}
    assert [word in cli("log", run.id).out for word in ("stage=prod", "looks good", "best")] == [True] * 3


def test_the_log_says_what_was_changed_oldest_first(cli, record):
    id = record("one")
    assert cli("log", "one").err == "gittrack: nothing was changed about run 'one' since it ended\n"
    cli("tag", "one", "stage=dev")
    cli("tag", "one", "--delete", "stage")
    cli("rename", "one", "other")
    cli("rm", "--yes", "other")
    assert settled(cli("log", id).out) == (
        "TIME    WHO                           WHAT\n".replace("TIME    ", "TIME                     ")
        + "<time>  Test User <test@example.com>  tagged it stage=dev\n"
        "<time>  Test User <test@example.com>  removed the tag stage\n"
        "<time>  Test User <test@example.com>  named it 'other'\n"
        "<time>  Test User <test@example.com>  deleted it\n"
    )
    document = json.loads(cli("log", id, "--json").out)
    assert list(document) == ["schema", "run", "events"]
    assert document["run"] == id
    assert [(item["kind"], item["key"], item["value"]) for item in document["events"]] == [
        ("tag", "stage", "dev"),
        ("tag", "stage", None),
        ("name", "", "other"),
        ("lifecycle", "", "deleted"),
    ]
    names = ["id", "kind", "key", "value", "time", "author", "writer", "replaces", "signature", "signer"]
    assert list(document["events"][0]) == names


@pytest.mark.parametrize("name", ["@latest", "@-2", "@someone", "--help", "other"])
def test_a_name_that_does_not_address_the_run_is_warned_of(cli, record, name):
    id = record("one")
    other = record("other")
    for called in (name, other[:8]):
        answer = cli("rename", id, "--", called)
        assert answer.code == 0
        assert "warning: that name does not address this run, or not it alone: its id does" in answer.err
    assert "warning" not in cli("rename", id, "mine alone").err
