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


def test_what_is_neither_a_remote_nor_a_run_is_said_to_be_neither(people, gittrack_cli):
    ann = people("ann")
    ann.run("first")
    refused = gittrack_cli("push", "orign", cwd=ann.folder)
    assert refused.returncode == 3
    assert "no remote is called 'orign', and no run is 'orign'" in refused.stderr
    assert "hint: gittrack push origin" in refused.stderr
    assert gittrack_cli("push", "origin", "first", cwd=ann.folder).returncode == 0


def test_what_reaches_others_by_a_push_alone_says_so_where_there_is_a_remote(people, gittrack_cli):
    ann = people("ann")
    ann.run("first")
    for words in (
        ["tag", "first", "a=b"], ["note", "first", "x"], ["rename", "first", "other"], ["rm", "-y", "other"],
        ["restore", "other"], ["comment", "other", "hm"], ["review", "accept", "other"],
        ["review", "withdraw", "other"],
    ):  # fmt: skip
        assert "; share it: gittrack push\n" in gittrack_cli(*words, cwd=ann.folder).stderr, words
    ann.git("remote", "remove", "origin")
    for words in (["tag", "other", "a=c"], ["comment", "other", "hm"], ["review", "accept", "other"]):
        said = gittrack_cli(*words, cwd=ann.folder)
        assert (said.returncode, "push" in said.stderr) == (0, False), words


def test_a_pull_of_models_where_there_is_none_says_so(people, gittrack_cli):
    ann = people("ann")
    ann.run("first")
    ann.push()
    said = gittrack_cli("pull", "--artifacts", "models", cwd=ann.folder)
    assert (said.returncode, "no run here has a model" in said.stderr) == (0, True)


def test_a_time_is_shown_as_one_types_it(people, gittrack_cli):
    ann = people("ann")
    assert "live is '1s' now" in gittrack_cli("config", "live", "1s", cwd=ann.folder).stderr
    assert gittrack_cli("config", "live", cwd=ann.folder).stdout == "1s\n"
    assert gittrack_cli("config", "system_interval", cwd=ann.folder).stdout == "10\n"
