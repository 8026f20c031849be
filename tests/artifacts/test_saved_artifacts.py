"""Artifacts of a run: logged as file or folder, listed, opened, downloaded."""

from __future__ import annotations

import os

import pytest

import gittrack
from gittrack.api.artifact_paths import ArtifactPaths
from gittrack.api.maintain import fsck
from gittrack.api.project import Project
from gittrack.api.saved_artifacts import SavedArtifacts
from gittrack.errors import ArtifactNotFoundError, ConflictError, CorruptRecordError, StorageError


@pytest.fixture
def model(repo):
    """A folder too large for git, outside what git sees."""
    folder = repo.parent / "model"
    (folder / "data").mkdir(parents=True)
    (folder / "MLmodel").write_text("flavour: none\n")
    (folder / "data" / "weights.bin").write_bytes(os.urandom(200_000))
    return folder


def logged(action) -> gittrack.SavedRun:
    with gittrack.start_run() as run:
        action(run)
    saved = gittrack.get_run(run.id)
    assert saved.file("logs/errors.log") is None
    return saved


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def listed(saved, path=""):
    return [file.path for file in SavedArtifacts(Project.open(), saved).files(path)]


def test_a_large_folder_is_one_artifact(repo, model, tmp_path):
    saved = logged(lambda run: run.log_artifact(model))
    (entry,) = saved.artifacts()
    assert (entry.path, entry.storage, entry.files, entry.is_folder) == ("model", "pointer", 2, True)
    assert entry.size == sum(map(len, contents(model).values()))
    assert listed(saved) == ["model/MLmodel", "model/data/weights.bin"]
    assert saved.artifact("model/MLmodel") == b"flavour: none\n"
    with saved.open("model/data/weights.bin") as file:
        assert file.read() == contents(model)["data/weights.bin"]
    assert saved.download("model", tmp_path / "out") == tmp_path / "out" / "model"
    assert contents(tmp_path / "out" / "model") == contents(model)
    assert saved.download("model/data", tmp_path / "part") == tmp_path / "part" / "data"
    assert contents(tmp_path / "part") == {"data/weights.bin": contents(model)["data/weights.bin"]}
    assert fsck(Project.open()) == []


def test_the_pointer_of_a_folder_is_dvcs(repo, model):
    saved = logged(lambda run: run.log_artifact(model))
    (entry,) = saved.artifacts()
    assert saved.file("artifacts/model.dvc").decode() == (
        f'outs:\n- md5: {entry.digest[4:]}\n  size: {entry.size}\n  nfiles: 2\n  hash: md5\n  path: "model"\n'
    )
    assert saved.file("artifacts/.gitignore") == b"/model\n"


def test_a_small_folder_lies_in_git_file_by_file(repo, git):
    (repo / "out" / "sub").mkdir(parents=True)
    (repo / "out" / "a.txt").write_text("a")
    (repo / "out" / "sub" / "b.txt").write_text("b")
    saved = logged(lambda run: run.log_artifacts("out", "report"))
    assert [(entry.path, entry.storage) for entry in saved.artifacts()] == [
        ("report/a.txt", "inline"),
        ("report/sub/b.txt", "inline"),
    ]
    assert git("show", f"{saved.commit}:artifacts/report/sub/b.txt") == "b"


def test_a_folder_without_a_name_is_taken_apart_at_its_top(repo, model):
    (model / "large.bin").write_bytes(os.urandom(100_000))
    saved = logged(lambda run: run.log_artifacts(model))
    assert [(entry.path, entry.files) for entry in saved.artifacts()] == [
        ("MLmodel", None),
        ("data", 1),
        ("large.bin", None),
    ]


def test_a_file_logged_into_a_folder_later_is_seen_in_it(repo, model, tmp_path):
    def log(run):
        run.log_artifact(model)
        run.log_text("later", "model/notes.txt")
        run.log_text("flavour: other\n", "model/MLmodel")

    saved = logged(log)
    assert listed(saved, "model") == ["model/MLmodel", "model/data/weights.bin", "model/notes.txt"]
    assert saved.artifact("model/MLmodel") == b"flavour: other\n"
    saved.download("model", tmp_path / "out")
    assert contents(tmp_path / "out" / "model") == contents(model) | {
        "MLmodel": b"flavour: other\n",
        "notes.txt": b"later",
    }


def test_everything_is_downloaded_with_its_whole_path(repo, model, tmp_path):
    def log(run):
        run.log_artifact(model, "deep/er")
        run.log_text("x", "a/b.txt")

    saved = logged(log)
    assert saved.download(dest=tmp_path / "all") == tmp_path / "all"
    assert sorted(contents(tmp_path / "all")) == ["a/b.txt", "deep/er/model/MLmodel", "deep/er/model/data/weights.bin"]
    assert saved.download("deep", tmp_path / "one") == tmp_path / "one" / "deep"
    assert sorted(contents(tmp_path / "one")) == ["deep/er/model/MLmodel", "deep/er/model/data/weights.bin"]


def test_what_is_there_is_not_overwritten_unless_asked(repo, model, tmp_path):
    saved = logged(lambda run: run.log_artifact(model))
    mine = tmp_path / "model" / "data" / "weights.bin"
    mine.parent.mkdir(parents=True, exist_ok=True)
    target = tmp_path / "out" / "model"
    target.mkdir(parents=True)
    (target / "MLmodel").write_text("mine")
    with pytest.raises(ConflictError):
        saved.download("model", tmp_path / "out")
    assert contents(target) == {"MLmodel": b"mine"}
    saved.download("model", tmp_path / "out", overwrite=True)
    assert contents(target) == contents(model)


def test_bytes_that_are_missing_or_damaged_are_told_before_anything_is_copied(repo, model, tmp_path):
    saved = logged(lambda run: run.log_artifact(model))
    store = Project.open().layout.bytes_store
    weights = next(path for path in (store / "files").rglob("*") if path.is_file() and path.stat().st_size == 200_000)
    data = weights.read_bytes()
    weights.unlink()
    with pytest.raises(ArtifactNotFoundError, match=r"weights.bin' are not here"):
        saved.download("model", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    weights.write_bytes(data[:-1] + b"x")
    with pytest.raises(CorruptRecordError):
        saved.download("model", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def damage(digest):
    path = Project.open().layout.bytes_store / "files" / "md5" / digest[4:6] / digest[6:]
    path.chmod(0o644)
    path.write_bytes(b"x" * path.stat().st_size)


def test_a_folder_with_a_damaged_file_never_appears_half(repo, model, tmp_path):
    saved = logged(lambda run: run.log_artifact(model))
    damage(SavedArtifacts(Project.open(), saved).files("model/data")[0].digest)
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    for path in ("model", "model/data", ""):
        with pytest.raises(CorruptRecordError):
            saved.download(path, out)
        assert contents(out) == {"mine.txt": b"mine"}
        assert [each.name for each in out.iterdir()] == ["mine.txt"]
    (out / "model").mkdir()
    (out / "model" / "MLmodel").write_text("mine too")
    with pytest.raises(CorruptRecordError):
        saved.download("model", out, overwrite=True)
    assert contents(out) == {"mine.txt": b"mine", "model/MLmodel": b"mine too"}


def test_of_several_artifacts_what_can_be_had_is_copied(repo, model, tmp_path):
    def log(run):
        run.log_artifact(model)
        run.log_text("late", "model/late.txt")
        run.log_text("x" * 200_000, "big.txt")
        run.log_text("small", "notes/small.txt")

    saved = logged(log)
    damage(SavedArtifacts(Project.open(), saved).files("model/MLmodel")[0].digest)
    done = SavedArtifacts(Project.open(), saved).copy("", tmp_path / "out")
    assert [(path, type(error)) for path, error in done.failures] == [("model", CorruptRecordError)]
    assert sorted(contents(tmp_path / "out")) == ["big.txt", "notes/small.txt"]
    assert not (tmp_path / "out" / "model").exists()


def test_a_folder_whose_listing_is_gone_is_not_begun(repo, model, tmp_path):
    def log(run):
        run.log_artifact(model)
        run.log_text("late", "model/late.txt")
        run.log_text("small", "notes/small.txt")

    saved = logged(log)
    for listing in Project.open().layout.bytes_store.rglob("*.dir"):
        listing.unlink()
    done = SavedArtifacts(Project.open(), saved).copy("", tmp_path / "out")
    assert [path for path, _ in done.failures] == ["model"]
    assert sorted(contents(tmp_path / "out")) == ["notes/small.txt"]
    with pytest.raises(ArtifactNotFoundError, match="not here"):
        saved.download("model/MLmodel", tmp_path / "two")
    assert not (tmp_path / "two").exists()


def test_a_path_that_is_file_and_folder_in_a_foreign_run_is_refused_before_anything_is_copied(
    repo, tmp_path, monkeypatch
):
    monkeypatch.setattr(ArtifactPaths, "claim", lambda *_: None)
    monkeypatch.setattr(ArtifactPaths, "check", lambda *_: None)

    def log(run):
        run.log_text("x", "a.txt")
        run.log_text("x", "f")
        run.log_text("y", "f/g")

    saved = logged(log)
    with pytest.raises(ConflictError, match="'f' is a file and a folder at once") as caught:
        saved.download("", tmp_path / "out")
    assert caught.value.hint == f"gittrack artifact get {saved.id[:8]} f/g"
    assert not (tmp_path / "out").exists()
    assert saved.download("f/g", tmp_path / "out").read_text() == "y"


def test_a_hint_of_python_names_what_python_has(repo, tmp_path):
    saved = logged(lambda run: run.log_text("x", "a.txt"))
    (tmp_path / "a.txt").write_text("mine")
    with pytest.raises(ConflictError) as caught:
        saved.download("a.txt", tmp_path)
    assert caught.value.hint == "choose another folder, or overwrite=True"
    (tmp_path / "a.txt").unlink()
    with pytest.raises(StorageError) as other:
        saved.download("a.txt", repo / "train.py")
    assert other.value.hint == "choose another folder"


@pytest.mark.parametrize("path", ["absent", "model/absent", "model/MLmodel/x", "../model", "/model", "mod"])
def test_what_is_not_there_is_said_not_to_be(repo, model, tmp_path, path):
    saved = logged(lambda run: run.log_artifact(model))
    for read in (saved.artifact, saved.open, lambda path: saved.download(path, tmp_path / "out")):
        with pytest.raises(ArtifactNotFoundError):
            read(path)
    assert not (tmp_path / "out").exists()


def test_a_folder_has_no_bytes_of_its_own(repo, model):
    saved = logged(lambda run: run.log_artifact(model))
    with pytest.raises(ArtifactNotFoundError, match="is a folder"):
        saved.artifact("model")


def test_a_run_that_has_not_ended_has_nothing_to_read(repo):
    run = gittrack.start_run()
    run.log_text("x", "a.txt")
    with pytest.raises(ArtifactNotFoundError, match="has not ended"):
        gittrack.get_run(run.id).artifact("a.txt")
    gittrack.end_run()


def test_a_resumed_run_keeps_its_folder(repo, model):
    saved = logged(lambda run: run.log_artifact(model))
    with gittrack.start_run(run_id=saved.id) as run:
        run.log_text("more", "more.txt")
    again = gittrack.get_run(saved.id)
    assert [(entry.path, entry.files) for entry in again.artifacts()] == [("model", 2), ("more.txt", None)]
    assert again.artifact("model/MLmodel") == b"flavour: none\n"
    assert again.file("artifacts/model.dvc") == saved.file("artifacts/model.dvc")
