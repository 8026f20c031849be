"""MLflow's reserved tags: a column of the frame is what queries and orders see, here as in MLflow."""

from __future__ import annotations

import pytest

import gittrack
from gittrack.api.annotate import note_run, rename_run
from gittrack.api.project import Project

FILTERS = [
    "tags.mlflow.runName = 'run-1'",
    "tags.`mlflow.runName` = 'run-1'",
    "tags.`mlflow.runName` != 'run-1'",
    "tags.`mlflow.runName` LIKE 'run%'",
    "tags.`mlflow.runName` ILIKE 'RUN-_'",
    "tags.mlflow.user = 'ada'",
    "tags.mlflow.user != 'ada'",
    "tags.`mlflow.user` IS NOT NULL",
    "tags.`mlflow.user` IS NULL",
    "tag.mlflow.user LIKE 'a%'",
    "tags.mlflow.source.type = 'LOCAL'",
    "tags.mlflow.source.type != 'LOCAL'",
    "tags.mlflow.source.name LIKE '%.py'",
    "tags.mlflow.source.git.commit = '0000'",
    "tags.mlflow.source.git.commit IS NOT NULL",
    "tags.`mlflow.note.content` = 'long'",
    "tags.mlflow.note.content IS NULL",
    "tags.mlflow.note.content LIKE '%ng' AND tags.mlflow.user = 'ada'",
    "tags.mlflow.parentRunId IS NOT NULL",
    "tags.mlflow.parentRunId IS NULL",
    "tags.mlflow.parentRunId = '{parent}'",
    "tags.mlflow.parentRunId != '{parent}'",
    "tags.mlflow.parentRunId LIKE '{begins}%'",
    "tags.team = 'x' AND tags.mlflow.runName = 'run-2'",
]


@pytest.fixture
def here(repo, git) -> dict[str, str]:
    """Our runs: name -> id. Two are called by numbers, one has a parent, one a user of its own."""
    git("config", "user.name", "ada", cwd=repo)
    ids = {}
    for name, tags in (("run-1", {}), ("run-2", {"team": "x", "mlflow.user": "bob"}), ("10", {}), ("9", {})):
        with gittrack.start_run(name=name, tags=tags, strict=True, parent=ids.get("run-1")) as run:
            ids[name] = run.id
    note_run(Project.open(repo), ids["10"], "long")
    return ids


def names(*arguments, **more) -> list[str]:
    return [run.name for run in gittrack.search_runs(*arguments, output_format="list", **more)]


def filled(text: str, ids: dict[str, str]) -> str:
    return text.format(parent=ids["run-1"], begins=ids["run-1"][:6])


@pytest.mark.filterwarnings("ignore")
def test_filters_and_orders_find_what_they_find_in_mlflow(here, tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_PYTHON_REFRESH", "quiet")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    mlflow = pytest.importorskip("mlflow")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    theirs: dict[str, str] = {}
    source = gittrack.get_run("run-1").record.entry
    for name, tags in (("run-1", {}), ("run-2", {"team": "x", "mlflow.user": "bob"}), ("10", {}), ("9", {})):
        usual = {"mlflow.user": "ada", "mlflow.source.name": source, "mlflow.source.git.commit": "f" * 40}
        if theirs:
            usual["mlflow.parentRunId"] = theirs["run-1"]
        if name == "10":
            usual["mlflow.note.content"] = "long"
        with mlflow.start_run(run_name=name, tags={**usual, **tags}) as run:
            theirs[name] = run.info.run_id
    found = 0
    for text in FILTERS:
        frame = mlflow.search_runs(filter_string=filled(text, theirs))
        expected = sorted(frame["tags.mlflow.runName"]) if len(frame) else []
        assert sorted(names(filled(text, here))) == expected, text
        found += len(expected)
    assert found > len(FILTERS)
    for key in ("tags.`mlflow.runName`", "tags.mlflow.runName DESC", "tag.mlflow.user", "tags.`mlflow.note.content`"):
        order = [key, "start_time ASC"]
        assert names(order_by=order) == mlflow.search_runs(order_by=order)["tags.mlflow.runName"].tolist(), key


def test_every_column_of_the_frame_can_be_asked_for(here):
    frame = gittrack.search_runs()
    columns = [name for name in frame if name.startswith("tags.mlflow.")]
    assert {"tags.mlflow.user", "tags.mlflow.source.type", "tags.mlflow.source.git.branch"} <= set(columns)
    for column in columns:
        for value in frame[column].dropna().unique():
            expected = frame[frame[column] == value]["run_name"].tolist()
            assert names(f"{column} = '{value}'") == expected, (column, value)
            assert names(f"{column} in ('{value}', 'x')") == expected
            assert names(f"not {column} !~ '.'") == names()
        assert names(f"{column} is not null") == frame[frame[column].notna()]["run_name"].tolist()


def test_a_tag_that_somebody_set_wins_but_for_the_name(repo):
    with gittrack.start_run(name="one", tags={"mlflow.user": "me", "mlflow.runName": "old", "mlflow.note.content": ""}):
        pass
    rename_run(Project.open(repo), "one", "new")
    note_run(Project.open(repo), "new", "a note")
    for query in ("tags.mlflow.user = 'me'", "tags.mlflow.runName = 'new'", "tags.mlflow.note.content = 'a note'"):
        assert names(query) == ["new"], query
    author = gittrack.get_run("new").record.author.name
    assert names(f"tags.mlflow.user = '{author}'") == names("tags.mlflow.runName = 'old'") == []
    row = gittrack.search_runs().iloc[0]
    assert [row[f"tags.mlflow.{key}"] for key in ("user", "runName", "note.content")] == ["me", "new", "a note"]


def test_a_run_in_progress_is_found_by_them_too(here):
    with gittrack.start_run(name="now"):
        assert names("tags.mlflow.runName = 'now' and tags.mlflow.source.type = 'LOCAL'") == ["now"]
        assert names(order_by="tags.mlflow.runName DESC")[:2] == ["run-2", "run-1"]


def test_an_artifact_uri_is_found_as_the_frame_has_it(here):
    frame = gittrack.search_runs(order_by="artifact_uri")
    assert frame["artifact_uri"].tolist() == sorted(f"runs:/{id}" for id in here.values())
    assert names(f"artifact_uri = 'runs:/{here['10']}'") == ["10"]
    assert names(f"attributes.artifact_uri like '%{here['9'][-12:]}'") == ["9"]
    assert names(f"artifact_uri in ('{here['9']}')") == []
    assert names("artifact_uri is null") == []
    assert len(names("artifact_uri != 'x' and artifact_uri ~ '^runs:/[0-9a-f]{32}$'")) == 4
    with gittrack.start_run(name="now") as run:
        assert names(f"artifact_uri = 'runs:/{run.id}'") == ["now"]
