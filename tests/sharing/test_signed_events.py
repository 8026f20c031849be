"""What is said is signed by the user's git when it is set to sign, and the signature lasts wherever it travels."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

import pytest

import gittrack
from gittrack.api.annotate import delete_run, note_run, rename_run, restore_run, run_log, tag_run
from gittrack.api.comments import comment_run
from gittrack.api.maintain import roll_up_now
from gittrack.api.reviews import ACCEPTED, REJECTED, review_run
from gittrack.api.signatures import signatures_of
from gittrack.core.signatures import Signature
from gittrack.errors import SigningError, UsageError

from .signers import allows, gpg_home, signs_by_ssh, ssh_key, stop_agent


@pytest.fixture
def ann(people, tmp_path):
    """Somebody who signs with an SSH key that she knows herself."""
    person = people("ann")
    person.key = ssh_key(tmp_path, "ann")
    signs_by_ssh(person, person.key)
    allows(person, tmp_path / "signers", {"ann@example.com": person.key})
    return person


def said(person, id, *, check=True):
    """(kind, state of its signature, signer) of every event about a run."""
    with person.here():
        _, events = run_log(person.project, id)
        found = signatures_of(person.project, events, check=check)
    return [(event.kind, *found[event.id]) for event in events]


def test_every_kind_of_event_is_signed_by_git_and_git_verifies_it(ann):
    id = ann.run("first")
    with ann.here():
        project = ann.project
        tag_run(project, id, {"good": "yes"})
        note_run(project, id, "a note")
        rename_run(project, id, "other")
        comment_run(project, id, "why?")
        review_run(project, id, ACCEPTED, "fine")
        delete_run(project, id)
        restore_run(project, id)
    kinds = ["tag", "note", "name", "comment", "approval", "lifecycle", "lifecycle"]
    assert said(ann, id) == [(kind, "good", "ann@example.com") for kind in kinds]
    assert {state for _, state, _ in said(ann, id, check=False)} == {"present"}
    for line in ann.git("for-each-ref", "--format=%(objectname) %(contents:subject)", "refs/runs/inbox").splitlines():
        commit, _, subject = line.partition(" ")
        if " of run " in subject:
            ann.git("verify-commit", commit)
    assert not ann.git("fsck", "--strict", "--no-dangling")


def test_a_run_is_not_signed_and_nothing_is_where_git_does_not_sign(ann, people):
    id = ann.run("first")
    assert "gpgsig" not in ann.git("cat-file", "commit", f"refs/runs/inbox/{id}")
    bob = people("bob")
    id = bob.run("second")
    with bob.here():
        tag_run(bob.project, id, {"good": "yes"})
    assert said(bob, id) == [("tag", "none", "")]


@pytest.mark.parametrize(("setting", "git_says", "state"), [("true", "false", "good"), ("false", "true", "none")])
def test_the_setting_outweighs_what_git_is_set_to(ann, setting, git_says, state):
    ann.git("config", "commit.gpgSign", git_says)
    ann.git("config", "gittrack.sign", setting)
    id = ann.run("first")
    with ann.here():
        tag_run(ann.project, id, {"good": "yes"})
    assert [found for _, found, _ in said(ann, id)] == [state]


def test_the_setting_is_a_truth_or_auto_and_never_that_of_a_file(ann):
    ann.git("config", "gittrack.sign", "Yes")
    assert ann.project.config.sign == "true"
    ann.git("config", "gittrack.sign", "perhaps")
    assert ann.project.config.sign == "auto"
    assert "not true, false or auto" in ann.project.faults[0]
    ann.git("config", "--unset", "gittrack.sign")
    (ann.folder / ".gittrack.toml").write_text('sign = "false"\n')
    assert ann.project.signs
    ann.git("config", "commit.gpgSign", "perhaps")
    with pytest.raises(UsageError, match=r"commit\.gpgSign is 'perhaps'"):
        assert ann.project.signs


def test_signatures_survive_roll_up_push_fetch_and_a_bundle(ann, people, tmp_path):
    bob, eve = people("bob"), people("eve")
    id = ann.run("first")
    with ann.here():
        tag_run(ann.project, id, {"good": "yes"})
        roll_up_now(ann.project)
        comment_run(ann.project, id, "look")
    before = {line.split()[0] for line in ann.git("rev-list", "--all", "--grep=^Event-Id").splitlines()}
    ann.push()
    for person in (bob, eve):
        allows(person, tmp_path / f"signers-{person.name}", {"ann@example.com": ann.key})
    assert bob.fetch().refused == ()
    assert said(bob, id) == [("tag", "good", "ann@example.com"), ("comment", "good", "ann@example.com")]
    assert {line.split()[0] for line in bob.git("rev-list", "--all", "--grep=^Event-Id").splitlines()} == before
    with bob.here():
        from gittrack.api.bundle import create_bundle

        create_bundle(bob.project, tmp_path / "runs.bundle")
    with eve.here():
        from gittrack.api.bundle import apply_bundle

        apply_bundle(eve.project, tmp_path / "runs.bundle")
    assert said(eve, id) == said(bob, id)
    assert not bob.git("fsck", "--strict", "--no-dangling")


def test_a_key_of_nobody_and_a_signer_who_is_not_the_author_are_told_apart(ann, people, tmp_path, gittrack_cli):
    bob = people("bob")
    id = ann.run("first")
    with ann.here():
        comment_run(ann.project, id, "look")
    ann.push()
    bob.fetch()
    assert said(bob, id) == [("comment", "unchecked", "")], "bob knows no keys"
    shown = gittrack_cli("comment", id, "--signatures", cwd=bob.folder).stdout
    assert "[signed; it cannot be checked here]" in shown
    other = ssh_key(tmp_path, "other")
    allows(bob, tmp_path / "signers-bob", {"eve@example.com": other})
    assert said(bob, id) == [("comment", "unknown", "")]
    assert "[good signature, unknown person]" in gittrack_cli("comment", id, "--signatures", cwd=bob.folder).stdout
    allows(bob, tmp_path / "signers-bob", {"eve@example.com": ann.key})
    shown = gittrack_cli("comment", id, "--signatures", cwd=bob.folder).stdout
    assert "[good signature by eve@example.com, who is not the author]" in shown
    assert "[signed]" in gittrack_cli("comment", id, cwd=bob.folder).stdout


def test_a_signature_of_something_else_is_bad(ann, gittrack_cli):
    """As a forger would: the signature of one event on the commit of another."""
    id = ann.run("first")
    with ann.here():
        event = tag_run(ann.project, id, {"good": "no"}).state.events[-1]
    ref = f"refs/runs/inbox/{event.id}"
    forged = ann.git("cat-file", "commit", ref).replace("tag good", "tag evil") + "\n"
    file = ann.folder / "forged"
    file.write_text(forged)
    commit = ann.git("hash-object", "-t", "commit", "-w", str(file))
    ann.git("update-ref", ref, commit)
    assert said(ann, id) == [("tag", "bad", "")]
    done = gittrack_cli("log", id, "--signatures", cwd=ann.folder)
    assert "BAD signature" in done.stdout
    assert done.returncode == 0


def test_a_review_with_a_bad_signature_does_not_count_and_replaces_nothing(ann, gittrack_cli):
    id = ann.run("first")
    with ann.here():
        review_run(ann.project, id, ACCEPTED, "fine")
        event = review_run(ann.project, id, REJECTED, "no").state.events[-1]
    ref = f"refs/runs/inbox/{event.id}"
    file = ann.folder / "forged"
    file.write_text(ann.git("cat-file", "commit", ref).replace("rejected", "rejected by a forger", 1) + "\n")
    ann.git("update-ref", ref, ann.git("hash-object", "-t", "commit", "-w", str(file)))
    assert gittrack_cli("review", "show", id, cwd=ann.folder).stdout.startswith("rejected\n"), "nobody has checked it"
    lines = gittrack_cli("review", "show", id, "--signatures", cwd=ann.folder).stdout.splitlines()
    assert lines[0] == "accepted"
    assert "accepted by Ann" in lines[1]
    assert "good signature" in lines[1]
    assert lines[3] == "not counted, and replacing nothing, since the signature is bad:"
    assert "rejected by Ann" in lines[4]
    assert "[BAD signature" in lines[4]
    document = json.loads(gittrack_cli("review", "show", id, "--signatures", "--json", cwd=ann.folder).stdout)
    assert document["standing"] == "accepted"
    assert [each["verdict"] for each in document["reviews"]] == ["accepted"]
    assert [(each["verdict"], each["signature"]) for each in document["bad"]] == [("rejected", "bad")]


def test_the_commands_show_signatures(ann, gittrack_cli):
    id = ann.run("first")
    for command in (["comment", id, "why?"], ["review", "accept", id, "fine"], ["tag", id, "good=yes"]):
        assert gittrack_cli(*command, cwd=ann.folder).returncode == 0
    good = {"signature": "good", "signer": "ann@example.com"}

    def shown(*words):
        return json.loads(gittrack_cli(*words, "--json", cwd=ann.folder).stdout)

    assert shown("comment", id, "--signatures")["threads"][0]["comments"][0].items() >= good.items()
    assert shown("review", "show", id, "--signatures")["reviews"][0].items() >= good.items()
    assert all(event.items() >= good.items() for event in shown("log", id, "--signatures")["events"])
    events = [entry["event"] for entry in shown("log", "--signatures")["entries"] if entry["event"]]
    assert len(events) == 3
    assert all(event.items() >= good.items() for event in events)
    assert shown("log", id)["events"][0]["signature"] == "present"
    for words in (["log"], ["log", id], ["review", "show", id], ["comment", id]):
        done = gittrack_cli(*words, "--signatures", cwd=ann.folder)
        assert "good signature by ann@example.com" in done.stdout, words
        assert "who is not the author" not in done.stdout


def test_what_git_cannot_sign_is_not_said_and_the_error_says_how(ann, gittrack_cli):
    id = ann.run("first")
    ann.git("config", "user.signingKey", str(ann.folder / "no-such-key"))
    done = gittrack_cli("tag", id, "good=yes", cwd=ann.folder)
    assert done.returncode == 1
    assert "error: git is set to sign, and could not: " in done.stderr
    assert "no-such-key" in done.stderr
    always = "always: git config gittrack.sign false"
    assert f"hint: git config user.signingKey KEY; unsigned, once: --no-sign, {always}\n" in done.stderr
    assert said(ann, id) == []
    with ann.here(), pytest.raises(SigningError):
        comment_run(ann.project, id, "why?")
    assert gittrack_cli("tag", id, "good=yes", "--no-sign", cwd=ann.folder).returncode == 0
    assert said(ann, id) == [("tag", "none", "")]
    env = {"GIT_CONFIG_PARAMETERS": "'gittrack.sign'='false'"}
    assert gittrack_cli("comment", id, "why?", cwd=ann.folder, env=env).returncode == 0
    assert len(said(ann, id)) == 2


def test_a_key_that_wants_a_passphrase_is_added_to_the_agent(ann, gittrack_cli, tmp_path):
    id = ann.run("first")
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "secret", "-f", str(ann.key)], check=True)
    env = {"SSH_ASKPASS": "true", "SSH_ASKPASS_REQUIRE": "force", "SSH_AUTH_SOCK": str(tmp_path / "none")}
    done = gittrack_cli("tag", id, "good=yes", cwd=ann.folder, env=env)
    assert done.returncode == 1
    assert "hint: ssh-add; unsigned, once: --no-sign" in done.stderr


def test_a_resumption_that_changes_tags_ends_without_signing_and_says_so(ann, capsys):
    id = ann.run("first")
    ann.git("config", "user.signingKey", str(ann.folder / "no-such-key"))
    with ann.here(), gittrack.start_run(run_id=id) as run:
        run.set_tag("good", "yes")
    assert capsys.readouterr().err.count("this resumption set are not signed") == 1
    assert said(ann, id) == [("tag", "none", "")]
    with ann.here(), gittrack.start_run(run_id=id) as run:
        run.log_metric("loss", 0.1)
    assert "not signed" not in capsys.readouterr().err


def test_a_relative_key_counts_from_the_top_and_names_may_be_odd(ann):
    ann.git("config", "user.name", " Änn <von> Ü., ")
    (ann.folder / "keys").mkdir()
    for ending in ("", ".pub"):
        ann.key.with_name(ann.key.name + ending).rename(ann.folder / "keys" / f"ann{ending}")
    (ann.folder / "keys" / "ann").chmod(0o600)
    ann.git("config", "user.signingKey", "keys/ann.pub")
    ann.git("config", "i18n.commitEncoding", "ISO-8859-1")
    id = ann.run("first")
    (ann.folder / "deep").mkdir()
    folder, ann.folder = ann.folder, ann.folder / "deep"
    with ann.here():
        comment_run(ann.project, id, "größer?")
    ann.folder = folder
    assert said(ann, id) == [("comment", "good", "ann@example.com")]


def test_openpgp_signs_too(people, monkeypatch):
    bob = people("bob")
    with tempfile.TemporaryDirectory(prefix="gt", ignore_cleanup_errors=True) as folder:  # agents want short paths
        key = gpg_home(Path(folder), monkeypatch, "Bob <bob@example.com>")
        try:
            bob.git("config", "user.signingKey", key)
            bob.git("config", "commit.gpgSign", "true")
            id = bob.run("first")
            with bob.here():
                comment_run(bob.project, id, "why?")
                (event,) = run_log(bob.project, id)[1]
                found = signatures_of(bob.project, [event], check=True)
            assert found == {event.id: Signature("good", "Bob <bob@example.com>")}
        finally:
            stop_agent()
