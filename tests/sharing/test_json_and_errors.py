"""Commands that print JSON and are stopped by an error: nothing on stdout, the right code, the words on stderr."""

from __future__ import annotations

import json

import pytest

COMMANDS = {
    ("push", "--json"): 1,
    ("fetch", "--json"): 1,
    ("pull", "--json"): 1,
    ("fetch", "nowhere", "--json"): 1,
    ("status", "nowhere", "--json"): 1,
    ("remote", "check", "nowhere", "--json"): 1,
    ("bundle", "apply", "no-such-file", "--json"): 3,
    ("comment", "no-such-run", "--json"): 3,
    ("review", "show", "no-such-run", "--json"): 3,
    ("log", "no-such-run", "--json", "--signatures"): 3,
}


@pytest.mark.parametrize("words", COMMANDS)
def test_an_error_is_a_code_and_words_on_stderr(people, remote, gittrack_cli, words):
    ann = people("ann")
    ann.run("first")
    remote.rename(remote.with_name("moved.git"))
    done = gittrack_cli(*words, cwd=ann.folder)
    assert (done.returncode, done.stdout) == (COMMANDS[words], "")
    assert "error: " in done.stderr
    assert "hint: " in done.stderr


def test_what_was_done_in_part_is_told_in_json_and_by_the_code(people, remote, gittrack_cli):
    ann, bob = people("ann"), people("bob")
    ann.run("first")
    ann.push()
    bob.fetch()
    for name in ann.git("ls-remote", str(remote), "refs/runs/*").split()[1::2]:
        ann.git("-C", str(remote), "update-ref", "-d", name)
    done = gittrack_cli("fetch", "--json", cwd=bob.folder)
    assert done.returncode == 5
    assert len(json.loads(done.stdout)["rewritten"]) == 1
    assert "is gone from the remote" in done.stderr
