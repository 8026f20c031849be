"""What a run keeps of texts that hold secrets, and of texts that are too long."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gittrack
from gittrack.api.annotate import note_run, rename_run, tag_run
from gittrack.api.experiments import rename_experiment
from gittrack.api.kept import LONGEST_TEXT, without_secret
from gittrack.api.project import Project
from gittrack.errors import InvalidValueError

from .conftest import paths_of

WORD = "0a1b2c3d4e5f"
PRESIGNED = f"https://bucket.s3.amazonaws.com/data.csv?X-Amz-Expires=900&X-Amz-Signature={WORD}"


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        (PRESIGNED, "https://bucket.s3.amazonaws.com/data.csv"),
        (f"https://me.blob.core.windows.net/c/b?sv=2022&se=2030&sig={WORD}", "https://me.blob.core.windows.net/c/b"),
        (f"https://storage.googleapis.com/b/o?X-Goog-Credential={WORD}", "https://storage.googleapis.com/b/o"),
        (f"gs://b/o?access_token={WORD}", "gs://b/o"),
        (f"https://api.example/v1?apiKey={WORD}", "https://api.example/v1"),
        (f"https://api.example/v1?key={WORD}", "https://api.example/v1"),
        (f"https://f.azurewebsites.net/api/f?code={WORD}", "https://f.azurewebsites.net/api/f"),
        (f"postgresql://host/db?user=me&password={WORD}", "postgresql://host/db"),
        (f"https://host/#id_token={WORD}", "https://host/"),
        (f"https://u:{WORD}@host/a?b=c", "https://host/a"),
    ],
)
def test_a_url_that_logs_in_or_carries_a_signature_loses_both(url, kept):
    assert without_secret("data", url) == kept
    for text in (f"see {url} there", f'{{"url": "{url}"}}', f"--data={url}", f"{url}\n"):
        assert WORD not in without_secret("data", text)


@pytest.mark.parametrize(
    "text",
    [
        "https://host/a.csv?page=2&sort=asc",
        "https://en.wikipedia.org/w/index.php?title=Keyword&monkey=1&country_code=de",
        "s3://bucket/a.csv?versionId=abc",
        "https://host/a.csv",
        "write to ann@example.com, see https://host/page?tab=runs and https://host/b#results",
        "no url at all?token",
    ],
)
def test_other_texts_stay_whole(text):
    assert without_secret("data", text) == text


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        *(("db_password", 12345678, "***"), ("api_key", 1.5, "***"), ("secrets.db", "x", "***")),
        *(("password", datetime.date(2020, 1, 1), "***"), ("db.password", [1, "a"], ["***", "***"])),
        *(("rows", [{"api_key": 5, "lr": 1}], [{"api_key": "***", "lr": 1}]),),
        *(("credentials", [{"user": "me"}], [{"user": "***"}]),),
        *(("api_key", None, None), ("api_key", True, True), ("api_key", "", ""), ("max_tokens", 5, 5)),
        *(("token.size", 5, 5), ("pad_token", 0, 0), ("lr", 0.1, 0.1)),
    ],
)
def test_every_value_under_a_secret_name_is_stars(name, value, kept):
    assert without_secret(name, value) == kept


@given(st.text(), st.one_of(st.text(), st.integers(), st.lists(st.text())))
def test_what_is_kept_is_kept_again_as_it_is(name, value):
    once = without_secret(name, value)
    assert without_secret(name, once) == once


@pytest.mark.parametrize(
    "text", ["a" * 500_000 + "://", "?a" * 250_000 + "://", "x://" * 125_000, "a:" * 250_000 + "//"]
)
def test_long_texts_are_searched_in_linear_time(text):
    # Linear is a fraction of a second; a quadratic pattern meets the limit that each test has.
    without_secret("note", text)


def test_presigned_links_enter_a_run_by_no_door(repo, every_byte, capfd):
    with gittrack.start_run("it", params={"data": PRESIGNED}, tags={"data": PRESIGNED}, description=PRESIGNED) as run:
        run.log_param("db_password", 12345678)
        run.log_input(PRESIGNED)
        run.log_input("train.py", name=PRESIGNED, role=PRESIGNED)
        run.set_note(f"from {PRESIGNED}")
    saved = gittrack.get_run("it")
    assert saved.params == {"data": "https://bucket.s3.amazonaws.com/data.csv", "db_password": "***"}
    found = every_byte(saved.commit)
    assert b"bucket.s3.amazonaws.com/data.csv" in found
    assert WORD.encode() not in found
    assert b"12345678" not in found
    said = capfd.readouterr().err
    for what in ("param 'data'", "tag 'data'", "the note"):
        assert f"{what} holds a secret and is kept without it" in said


def test_what_is_said_later_is_kept_without_secrets_too(repo, every_byte, git, capfd):
    with gittrack.start_run("it"):
        pass
    project = Project.open(repo)
    assert tag_run(project, "it", {"data": PRESIGNED}).tags == {"data": "https://bucket.s3.amazonaws.com/data.csv"}
    assert note_run(project, "it", f"from {PRESIGNED}").note == "from https://bucket.s3.amazonaws.com/data.csv?***"
    assert capfd.readouterr().err.count("holds a secret and is kept without it") == 2
    for ref in git("for-each-ref", "--format=%(objectname)", "refs/runs/inbox", cwd=repo).split():
        assert WORD not in git("show", ref, cwd=repo)


def test_a_text_too_long_for_an_event_is_refused_and_changes_nothing(repo):
    with gittrack.start_run("it", description="as it was"):
        pass
    project = Project.open(repo)
    long = "x" * (LONGEST_TEXT + 1)
    with pytest.raises(InvalidValueError, match="a note has 1048577 characters, at most 1048576 are stored"):
        note_run(project, "it", long)
    with pytest.raises(InvalidValueError, match="a tag has"):
        tag_run(project, "it", {"first": "1", "second": long})
    saved = gittrack.get_run("it")
    assert (saved.note, saved.tags) == ("as it was", {})


@pytest.mark.parametrize("letter", ["x", "€", "\x01", "\U0001f600"])
def test_the_longest_text_is_one_that_readers_take(repo, letter):
    with gittrack.start_run("it"):
        pass
    assert note_run(Project.open(repo), "it", letter * LONGEST_TEXT).note == letter * LONGEST_TEXT


TOKEN = "ghp_" + "0a1B2c3D4e5F6g7H8i9J" * 2


def test_texts_that_people_write_are_judged_as_output_is():
    for text in (f"password={WORD}", f"train --api-key {WORD}", f'{{"token": "{WORD}"}}', f"curl -u me:{WORD} h"):
        kept = without_secret("cmd", text)
        assert WORD not in kept
        assert "***" in kept
    words = ["train", "--password", WORD, "--lr", "0.1", "--max-tokens", "5", "--secret"]
    assert without_secret("args", words) == ["train", "--password", "***", *words[3:]]
    assert without_secret("args", ["--password", 1234, "--token", "--x"]) == ["--password", "***", "--token", "--x"]


def test_a_token_in_a_name_enters_a_run_by_no_door(repo, every_byte, git, capfd):
    with gittrack.start_run(f"try {TOKEN}", experiment=f"of {TOKEN}") as run:
        run.log_metric(f"loss/{TOKEN}", 0.5)
        run.log_metric(f"loss/{TOKEN}", 0.25)
        run.log_param(f"p {TOKEN}", 1)
        run.set_tag(f"t {TOKEN}", "x")
        run.set_tag(f"gone {TOKEN}", "x")
        run.delete_tag(f"gone {TOKEN}")
        run.log_text("hello", f"a/{TOKEN}.txt")
    saved = gittrack.get_run(run.id)
    masked = saved.name.removeprefix("try ")
    assert masked.startswith("secret-")
    assert saved.experiment == f"of {masked}"
    assert saved.record.metrics[f"loss/{masked}"].count == 2
    assert saved.params == {f"p {masked}": 1}
    assert saved.tags == {f"t {masked}": "x"}
    assert paths_of(saved) == (f"a/{masked}.txt",)
    assert TOKEN.encode() not in every_byte(saved.commit)
    said = capfd.readouterr().err
    for kind in ("a metric", "a param", "a tag", "an artifact"):
        assert f"the name of {kind} holds a secret and is kept as" in said
    assert TOKEN not in said


def test_a_token_in_a_name_given_later_is_masked_too(repo, git, capfd):
    with gittrack.start_run("it", experiment="mine"):
        pass
    project = Project.open(repo)
    tagged = tag_run(project, "it", {f"k {TOKEN}": "v"})
    assert rename_run(project, "it", f"new {TOKEN}").name == "new " + next(iter(tagged.tags)).removeprefix("k ")
    assert TOKEN not in rename_experiment(project, "mine", f"ours {TOKEN}").name
    said = capfd.readouterr().err
    for kind in ("a tag", "a run", "an experiment"):
        assert f"the name of {kind} holds a secret and is kept as" in said
    for ref in git("for-each-ref", "--format=%(objectname)", "refs/runs", cwd=repo).split():
        assert TOKEN not in git("show", ref, cwd=repo)
