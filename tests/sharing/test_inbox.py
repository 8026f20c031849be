"""What is new from others since one last looked."""

from __future__ import annotations

from gittrack.api.annotate import delete_run, rename_run, restore_run, tag_run
from gittrack.api.bundle import apply_bundle, create_bundle
from gittrack.api.comments import comment_run, resolve_thread
from gittrack.api.expunge import plan_expunge
from gittrack.api.expunging import expunge
from gittrack.api.news import mark_as_seen, news
from gittrack.api.reviews import review_run, withdraw_review


def look(person, *, keep: bool = False) -> tuple[list[str], list[str]]:
    with person.here():
        found = news(person.project)
        if not keep:
            mark_as_seen(person.project, found)
    return [run.record.name for run in found.runs], [event.kind for event in found.events]


def test_what_others_shared_is_new_once(people):
    ann, bob = people("ann"), people("bob")
    id = ann.run("first")
    ann.push()
    assert look(ann) == ([], []), "one's own runs are no news"
    bob.fetch()
    assert look(bob, keep=True) == (["first"], [])
    assert look(bob) == (["first"], [])
    assert look(bob) == ([], [])
    bob.run("second")
    with bob.here():
        tag_run(bob.project, id, {"good": "yes"})
        comment_run(bob.project, id, "well done")
    bob.push()
    ann.fetch()
    assert look(ann) == (["second"], ["comment", "tag"])
    ann.run("third")
    ann.push()
    bob.fetch()
    assert look(bob) == (["third"], [])


def test_a_long_text_is_cut_where_things_are_listed_and_whole_elsewhere(people, gittrack_cli):
    ann, bob = people("ann"), people("bob")
    id, text = ann.run("first"), "word " * 4000
    ann.push()
    bob.fetch()
    with bob.here():
        comment_run(bob.project, id, text)
    bob.push()
    ann.fetch()
    for command in (["inbox", "--keep"], ["log", id], ["log"]):
        done = gittrack_cli(*command, cwd=ann.folder)
        assert max(len(line) for line in done.stdout.splitlines()) < 320
        assert "word word" in done.stdout
        assert "…" in done.stdout
    for command in (["log", id, "--json"], ["comment", id], ["inbox", "--json"]):
        assert text.strip() in gittrack_cli(*command, cwd=ann.folder).stdout


def test_the_command_line_shows_and_remembers(people, gittrack_cli):
    ann, bob = people("ann"), people("bob")
    ann.run("first")
    ann.push()
    bob.fetch()
    shown = gittrack_cli("inbox", cwd=bob.folder)
    assert "Ann" in shown.stdout
    assert "'first' in Default, finished" in shown.stdout
    again = gittrack_cli("inbox", cwd=bob.folder)
    assert (again.stdout, again.returncode) == ("", 0)
    assert "nothing new from others" in again.stderr


def test_of_an_expunged_run_only_that_is_told_and_all_else_is_shown(people, gittrack_cli, git, tmp_path):
    ann, bob = people("ann"), people("bob")
    git("init", "-q", "--bare", "second.git", cwd=tmp_path)
    for person in (ann, bob):
        person.git("remote", "add", "second", str(tmp_path / "second.git"))
    id, kept = ann.run("leaky"), ann.run("kept")
    with ann.here():
        comment_run(ann.project, id, "hmm")
        comment_run(ann.project, kept, "fine")
    for remote in ("origin", "second"):
        ann.push(remote)
        bob.fetch(remote)
    with ann.here():
        expunge(ann.project, plan_expunge(ann.project, id, remotes=["origin"]))
    bob.fetch(accept_rewrites=True)
    shown = gittrack_cli("inbox", "--keep", cwd=bob.folder)
    assert shown.returncode == 0, shown.stderr
    (line,) = [line for line in shown.stdout.splitlines() if id[:8] in line]
    assert f"run {id[:8]}: expunged it; what lies here is hidden: gittrack expunge {id} --here" in line
    assert "'kept' in Default" in shown.stdout and ": fine" in shown.stdout and "hmm" not in shown.stdout
    with bob.here():
        expunge(bob.project, plan_expunge(bob.project, id, here=True))
    (line,) = [line for line in gittrack_cli("inbox", cwd=bob.folder).stdout.splitlines() if id[:8] in line]
    assert line.rstrip().endswith("expunged it")
    assert look(bob) == ([], [])


def test_what_was_seen_is_no_news_from_another_remote_nor_from_a_bundle_nor_rebuilt(people, git, tmp_path):
    ann, bob = people("ann"), people("bob")
    leaky = ann.run("leaky")
    ann.run("first")
    ann.push()
    bob.fetch()
    assert look(bob) == (["first", "leaky"], [])
    git("init", "-q", "--bare", "second.git", cwd=tmp_path)
    for person in (ann, bob):
        person.git("remote", "add", "second", str(tmp_path / "second.git"))
    ann.push("second")
    bob.fetch("second")
    assert look(bob, keep=True) == ([], [])
    ann.run("new")
    with ann.here():
        create_bundle(ann.project, tmp_path / "runs.bundle")
    with bob.here():
        apply_bundle(bob.project, tmp_path / "runs.bundle")
    assert look(bob) == (["new"], [])
    with ann.here():
        expunge(ann.project, plan_expunge(ann.project, leaky))
    bob.fetch(accept_rewrites=True)
    assert look(bob) == ([], ["expunged"])


def test_what_was_said_is_told_in_words(people, gittrack_cli):
    ann, bob = people("ann"), people("bob")
    id = ann.run("ctrlc")
    ann.push()
    bob.fetch()
    with ann.here():
        project = ann.project
        rename_run(project, id, "foo")
        tag_run(project, id, {"stage": "best"})
        tag_run(project, id, {"stage": None})
        first = comment_run(project, id, "why?")
        comment_run(project, id, "so", answers=first.handle)
        resolve_thread(project, id, first.handle)
        review_run(project, id, "requested", "look at the tail", asked="Bob")
        delete_run(project, id)
        restore_run(project, id)
    ann.push()
    bob.fetch()
    wanted = [
        "named it 'foo'",
        "tagged it stage=best",
        "removed the tag stage",
        f"comment {first.handle}: why?",
        f", to {first.handle}: so",
        f"settled the thread of comment {first.handle}",
        "asked Bob for a review: look at the tail",
        "deleted it",
        "restored it",
    ]
    for command in (["inbox"], ["log", "foo"], ["log"]):
        shown = gittrack_cli(*command, cwd=bob.folder).stdout
        for words in wanted:
            assert words in shown, command
    with bob.here():
        review_run(bob.project, id, "accepted", "good")
        withdraw_review(bob.project, id)
    shown = gittrack_cli("log", "foo", cwd=bob.folder).stdout
    assert "accepted it: good" in shown and "withdrew what they said in review" in shown


def test_a_new_run_is_called_by_its_present_name(people, gittrack_cli):
    ann, bob = people("ann"), people("bob")
    id = ann.run("ctrlc")
    ann.push()
    bob.fetch()
    with bob.here():
        rename_run(bob.project, id, "foo")
    shown = gittrack_cli("inbox", cwd=bob.folder).stdout
    assert f"run {id[:8]} 'foo' in Default" in shown and "ctrlc" not in shown
