"""Golden repositories: the bytes that version 1 of the format is, and that they read as what was written."""

from __future__ import annotations

import math
import subprocess
from pathlib import Path

import pytest

from gittrack.core.events import fold, run_body
from gittrack.core.ids import ObjectId
from gittrack.core.parsed_refs import parse_ref
from gittrack.core.records import RunRecord, RunStatus
from gittrack.git.repository import Repository
from gittrack.store.catalog import Catalog, current_commits, read_catalog, walk_ledger
from gittrack.store.integrity import check
from gittrack.store.layout import Layout
from gittrack.store.run_reader import read_artifact, read_body, read_listed, read_record, read_series
from tests.format import golden_repository as golden
from tests.format.run_strategies import comparable

GOLDEN = Path(__file__).parent / "golden" / "v1"
EXPORT = ["fast-export", "--show-original-ids", "--reencode=no", "--glob=refs/runs"]


def git(*arguments: str, cwd: Path, stdin: bytes | None = None) -> bytes:
    return subprocess.run(["git", *arguments], cwd=cwd, input=stdin, capture_output=True, check=True, timeout=60).stdout


def empty_repository(folder: Path) -> Repository:
    folder.mkdir()
    git("init", "--quiet", "--template=", cwd=folder)
    return Repository.discover(folder)


@pytest.fixture
def built(tmp_path: Path) -> Repository:
    """A repository to write into."""
    return empty_repository(tmp_path / "built")


def imported(tmp_path: Path, scenario: str) -> Repository:
    """The golden repository of a scenario, read from its text."""
    folder = tmp_path / f"imported-{scenario}"
    repo = empty_repository(folder)
    git("fast-import", "--quiet", cwd=folder, stdin=(GOLDEN / f"{scenario}.fi").read_bytes())
    return repo.reopened()


@pytest.mark.parametrize("scenario", golden.SCENARIOS)
def test_what_is_written_today_is_what_version_1_wrote(built: Repository, scenario: str, update_golden: bool) -> None:
    golden.SCENARIOS[scenario](built)
    text = git(*EXPORT, cwd=built.common_dir)
    path = GOLDEN / f"{scenario}.fi"
    if update_golden:
        path.write_bytes(text)
    assert text.decode() == path.read_bytes().decode(), "see the difference with --update-golden and git diff"


@pytest.mark.parametrize("scenario", golden.SCENARIOS)
def test_an_imported_golden_repository_has_the_same_ids_and_records(
    tmp_path: Path, built: Repository, scenario: str
) -> None:
    expected = golden.SCENARIOS[scenario](built)
    repo = imported(tmp_path, scenario)
    assert repo.refs.list("refs/runs/") == built.refs.list("refs/runs/")
    catalog = read_catalog(repo)
    assert catalog.problems == []
    for commit, record in expected.items():
        assert comparable(read_record(repo, commit)) == comparable(in_file_order(record))
        message = repo.objects.read_commit(commit).message
        assert comparable(dict(read_listed(repo, commit, message).record.metrics)) == comparable(dict(record.metrics))
    assert check(repo, Layout.of(repo.common_dir)) == []


def in_file_order(record: RunRecord) -> RunRecord:
    from dataclasses import replace

    return replace(
        record,
        inputs=tuple(sorted(record.inputs, key=lambda item: (item.name, item.role, item.digest))),
        artifacts=tuple(sorted(record.artifacts, key=lambda entry: entry.path)),
    )


def only_run(catalog: Catalog) -> ObjectId:
    ((commit,),) = catalog.runs.values()
    return commit


def test_every_golden_file_belongs_to_a_scenario() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == set(golden.SCENARIOS)


def test_a_minimal_run_reads_as_written(tmp_path: Path) -> None:
    repo = imported(tmp_path, "minimal")
    commit = only_run(read_catalog(repo))
    record = read_record(repo, commit)
    assert (record.id, record.name, record.status) == ("a1" * 16, "brisk-otter-417", RunStatus.FINISHED)
    assert (record.start_time, record.end_time) == (golden.START, golden.START + 1500)
    assert record.code.commit == repo.objects.read_commit(commit).parents[0]
    assert repo.objects.read_commit(commit).author == golden.ANN


def test_a_full_run_reads_as_written(tmp_path: Path) -> None:
    repo = imported(tmp_path, "full")
    commit = only_run(read_catalog(repo))
    record = read_record(repo, commit)
    params = record.params
    assert params["huge"] == str(1 << 70)
    assert params["early stopping"] is None
    assert params["model"] == "xgb"
    assert params["model.layers"] == [64, 64, {"units": 8, "bias": None}]
    assert math.isnan(params["threshold"])  # type: ignore[arg-type]
    assert params["limit"] == -math.inf
    assert record.note == "A note\nof two lines."
    assert record.parent == golden.PARENT
    assert record.seeds == {"python": 7, "numpy": 7}
    assert [item.reason for item in record.code.left_out] == ["size", "secret"]
    assert {item.name: item.source for item in record.inputs} == {"train": ".dvc", "base": "none"}
    assert {entry.path: entry.storage for entry in record.artifacts} == {
        "report.md": "inline",
        "plots/Über sicht.dvc": "inline",
        "model.json": "pointer",
    }
    assert read_artifact(repo, commit, record, "plots/Über sicht.dvc") == b"foo"
    values = list(read_series(repo, commit, record, "train/loss").values)
    assert values[:2] == [0.9, 0.5]
    assert math.isnan(values[2])
    assert values[3:] == [math.inf, 0.1 + 0.2]
    auc = read_series(repo, commit, record, "eval/auc")
    assert (auc.models, auc.data) == (["m-" + "0" * 32], ['test, "held out"'])
    zero = read_series(repo, commit, record, "loss").values[0]
    assert math.copysign(1, zero) == -1
    body = read_body(repo, commit)
    assert body.logs["output.txt"] == b"epoch 1\nepoch 2\n"
    assert set(body.environment) == {"packages.txt", "hardware.toml"}


def test_a_failed_run_without_code_hangs_on_the_empty_root(tmp_path: Path) -> None:
    repo = imported(tmp_path, "failed")
    commit = only_run(read_catalog(repo))
    record = read_record(repo, commit)
    assert (record.status, record.exit_code, record.error) == (RunStatus.FAILED, 1, "ValueError: no data")
    assert record.code.commit is None
    (root,) = repo.objects.read_commit(commit).parents
    assert root == "360b53f60d818311553ce6d9b1c9053478467289"
    assert repo.objects.list_tree(root) == []
    logs = read_body(repo, commit).logs
    assert logs["traceback.txt"].endswith(b"ValueError: no data\n")
    assert logs["errors.log"] == b"log_metric: a str is no number\n"


def test_a_resumption_replaces_the_crashed_commit_which_stays(tmp_path: Path) -> None:
    repo = imported(tmp_path, "resumed")
    commit = only_run(read_catalog(repo))
    earlier = repo.objects.read_commit(commit).parents[1]
    crashed, record = read_record(repo, earlier), read_record(repo, commit)
    assert (crashed.status, record.status) == (RunStatus.CRASHED, RunStatus.FINISHED)
    assert record.tags == crashed.tags == {"stage": "first"}
    assert list(read_series(repo, earlier, crashed, "loss").values) == [1.0, 0.75, 0.5]
    assert list(read_series(repo, commit, record, "loss").values) == [1.0, 0.75, 0.5, 0.25]
    both = {earlier: {""}, commit: {""}}
    assert current_commits(repo, both) == [commit]


def test_events_fold_into_the_present_state(tmp_path: Path) -> None:
    repo = imported(tmp_path, "events")
    catalog = read_catalog(repo)
    assert sorted(catalog.events.values(), key=lambda event: event.id) == list(golden.OF_A_RUN)
    state = fold(run_body(read_record(repo, only_run(catalog))), catalog.events.values())
    assert state.tags == {}
    assert state.value("name") == "worst so far"
    assert state.conflicts == (("name", ""),)
    assert state.survivors("name") == (golden.RENAMED.id, golden.CONFLICT.id)
    assert state.value("note") == "Overfits after step 300.\nSee the plots."
    assert not state.deleted


def test_a_renamed_experiment_keeps_its_id(tmp_path: Path) -> None:
    repo = imported(tmp_path, "experiment")
    catalog = read_catalog(repo)
    record = read_record(repo, only_run(catalog))
    (event,) = catalog.events.values()
    assert event.subject.key == record.experiment.id == golden.CHURN["id"]
    assert fold({}, [event]).value("name") == "churn/gradient boosting"


def test_a_ledger_lists_its_batches_newest_first(tmp_path: Path) -> None:
    repo = imported(tmp_path, "ledger")
    ((name, tip),) = repo.refs.list("refs/runs/")
    assert str(parse_ref(name)) == "refs/runs/local/2025-10"
    assert [(row.kind, row.id) for row in walk_ledger(repo, tip)] == [
        ("run", golden.FULL),
        ("run", golden.FAILED),
        ("event", golden.TAGGED.id),
        ("run", golden.MINIMAL),
    ]
    diary = git("log", "--first-parent", "--format=%s", tip, cwd=repo.common_dir).decode().splitlines()
    assert diary == ["2 runs: Default, churn/xgb", "1 run: Default; 1 event", "ledger 2025-10 of ann"]


def test_git_finds_the_trailers_of_a_run(tmp_path: Path) -> None:
    repo = imported(tmp_path, "full")
    format = "%(trailers:key=Run-Id,valueonly,separator=)|%(trailers:key=Parent-Run,valueonly,separator=)"
    said = git("log", "-1", f"--format={format}", only_run(read_catalog(repo)), cwd=repo.common_dir).decode().strip()
    assert said == f"{golden.FULL}|{golden.PARENT}"


def test_git_itself_finds_no_fault_with_any_golden_repository(tmp_path: Path) -> None:
    for scenario in golden.SCENARIOS:
        repo = imported(tmp_path, scenario)
        git("fsck", "--strict", "--full", cwd=repo.common_dir)
