"""A first fetch of many months: newest first, each there for good, broken off and repeated, and only some of them."""

from __future__ import annotations

import datetime
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from gittrack.api.sharing_status import sharing_status
from gittrack.cli.git_progress import fetch_progress
from gittrack.errors import UsageError

from .conftest import Person

MONTHS = ("2026-03", "2026-04", "2026-05")


@pytest.fixture
def shared(people, monkeypatch):
    """A remote to which ann pushed a run in each of three months."""
    ann, opened = people("ann"), Person.project.fget
    for month in MONTHS:
        pushed = int(datetime.datetime.fromisoformat(f"{month}-15T12:00:00+00:00").timestamp() * 1000)
        ann.run(f"of-{month}")
        with monkeypatch.context() as patched:
            patched.setattr(Person, "project", property(lambda self, at=pushed: replace(opened(self), now=lambda: at)))
            ann.push()
    assert ann.refs() == [f"refs/runs-remote/origin/{month}/ann" for month in MONTHS]
    return ann


def test_a_fetch_broken_off_while_it_checks_leaves_the_months_that_were_done(shared, people):
    bob = people("bob")

    def checked(done: int, total: int) -> None:
        if "of-2026-05" in bob.names():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bob.fetch(checked=checked)
    assert bob.names() == ["of-2026-05"]
    assert bob.refs() == ["refs/runs-remote/origin/2026-05/ann"]
    assert bob.fetch().runs == 2
    assert bob.names() == [f"of-{month}" for month in MONTHS]


def test_control_c_after_the_first_month(shared, people, remote, project_env, tmp_path):
    """The transport hangs in the second month's transfer; then the whole group gets SIGINT, as from a terminal."""
    bob = people("bob")
    script, count, hangs = tmp_path / "ssh", tmp_path / "count", tmp_path / "hangs"
    script.write_text(
        f"#!/bin/sh\nfor last; do :; done\necho x >> {count}\n"
        f'[ $(wc -l < {count}) -gt 2 ] && {{ touch {hangs}; sleep 60; }}\nexec sh -c "$last"\n'
    )
    script.chmod(0o755)
    bob.git("remote", "set-url", "origin", f"ssh://host{remote}")
    child = subprocess.Popen(
        [sys.executable, "-m", "gittrack", "fetch"],
        cwd=bob.folder,
        env={**project_env, "GIT_ALLOW_PROTOCOL": "file:ssh", "GIT_SSH_COMMAND": str(script)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    for _ in range(600):
        if hangs.exists():
            break
        time.sleep(0.05)
    assert hangs.exists()
    os.killpg(child.pid, signal.SIGINT)
    said = child.communicate(timeout=60)[1]
    assert child.returncode == 130
    assert "gittrack: 2026-05 is here: 1 run\n" in said
    assert "the same command does the rest" in said
    assert bob.names() == ["of-2026-05"]
    bob.git("remote", "set-url", "origin", str(remote))
    assert bob.fetch().runs == 2
    assert bob.names() == [f"of-{month}" for month in MONTHS]


def test_only_recent_months_by_an_option_or_for_good(shared, people, gittrack_cli):
    bob = people("bob")
    done = gittrack_cli("fetch", "--since", "2026-05", cwd=bob.folder)
    assert (done.returncode, done.stderr.count("fetched 1 run ")) == (0, 1), done.stderr
    assert bob.names() == ["of-2026-05"]
    with bob.here():
        assert sharing_status(bob.project).news == ("2026-04/ann", "2026-03/ann")
    bob.git("config", "gittrack.fetchSince", "2026-04")
    with bob.here():
        assert sharing_status(bob.project).news == ("2026-04/ann",)
    assert bob.fetch().runs == 1
    assert bob.names() == ["of-2026-04", "of-2026-05"]
    assert bob.fetch().rows == ()
    assert bob.fetch(since="all").runs == 1
    assert bob.names() == [f"of-{month}" for month in MONTHS]
    assert bob.fetch().rewritten == (), "what is older than asked for is not gone"


def test_a_push_asks_for_all_of_ones_own_months(shared, people):
    again = people("again", "ann")
    again.git("config", "gittrack.fetchSince", "2026-05")
    again.run("later")
    again.push()
    assert {name.split("/")[3] for name in again.refs()} >= set(MONTHS)


@pytest.mark.parametrize("since", ["2026-13", "yesterday", "2026-05-01", "--2026"])
def test_what_is_no_month_is_told_before_anything_is_asked(people, since):
    with pytest.raises(UsageError, match="is not a month") as caught:
        people("bob").fetch(since=since)
    assert caught.value.hint == "gittrack fetch --since 2026-09"


def test_each_month_is_said_when_there_are_several(shared, people, gittrack_cli):
    bob = people("bob")
    said = gittrack_cli("fetch", cwd=bob.folder).stderr
    assert re.findall(r"(\d{4}-\d\d) is here", said) == list(reversed(MONTHS))
    shared.run("one more")
    shared.push()
    assert "is here" not in gittrack_cli("fetch", cwd=bob.folder).stderr


def test_what_is_checked_is_drawn_on_a_terminal_and_wiped(monkeypatch, capsys):
    with fetch_progress() as (_, checked):
        checked(1, 2)
    assert capsys.readouterr().err == "", "no terminal"
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with pytest.raises(KeyboardInterrupt), fetch_progress() as (told, checked):
        told("Receiving objects:  50% (1/2)")
        for number in range(1, 2001):
            checked(number, 2000)
        raise KeyboardInterrupt
    shown = capsys.readouterr().err
    assert "Receiving objects:  50% (1/2)" in shown
    assert "Checking runs: 100% (2,000/2,000)" in shown
    assert shown.count("Checking") < 100, "not drawn for each"
    assert "\r\x1b[Kgittrack: stopped; what was fetched and checked is there, the same command does the rest\n" in shown
    assert shown.endswith("rest\n")
