"""Files: artifacts, texts, documents, figures, images, tables, inputs, from every library people use."""

from __future__ import annotations

import datetime
import io
import json
import os
import socket
import sys
import tomllib

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

import gittrack
from gittrack.errors import MissingDependencyError

from .conftest import errors_of, paths_of
from .test_params_and_metrics import Tensor

mpl.use("Agg")


@pytest.fixture
def keep(repo):
    """``keep(method, *arguments, **more) -> (bytes of each artifact, lines of errors.log)``."""

    def log(method, *arguments, **more):
        with gittrack.start_run() as run:
            getattr(run, method)(*arguments, **more)
        saved = gittrack.get_run(run.id)
        return {path: saved.artifact(path) for path in paths_of(saved)}, errors_of(saved)

    return log


def test_a_file_is_kept_as_it_is_at_that_moment(repo):
    (repo / "model.bin").write_bytes(b"first")
    with gittrack.start_run() as run:
        run.log_artifact("model.bin")
        run.log_artifact(repo / "model.bin", "checkpoints/one")
        (repo / "model.bin").write_bytes(b"second")
        run.log_artifact("model.bin", artifact_path="checkpoints/two")
        (repo / "model.bin").unlink()
    saved = gittrack.get_run(run.id)
    found = {path: saved.artifact(path) for path in paths_of(saved)}
    assert found == {
        "model.bin": b"first",
        "checkpoints/one/model.bin": b"first",
        "checkpoints/two/model.bin": b"second",
    }


def test_a_path_that_is_logged_twice_holds_what_was_logged_last(repo):
    with gittrack.start_run() as run:
        run.log_text("x" * 100_000, "a.txt")
        run.log_text("small", "a.txt")
        run.log_text("small", "b.txt")
        run.log_text("x" * 100_000, "b.txt")
    saved = gittrack.get_run(run.id)
    assert (saved.artifact("a.txt"), len(saved.artifact("b.txt"))) == (b"small", 100_000)
    assert {entry.path: entry.storage for entry in saved.record.artifacts} == {"a.txt": "inline", "b.txt": "pointer"}


def test_a_folder_keeps_its_shape_under_its_own_name_or_without(keep, repo):
    (repo / "out" / "deep").mkdir(parents=True)
    (repo / "out" / "a.txt").write_text("a")
    (repo / "out" / "deep" / "b.txt").write_text("b")
    (repo / "out" / "link.txt").symlink_to("a.txt")
    (repo / "out" / "loop").symlink_to(".")
    (repo / "out" / "dangling").symlink_to("nowhere")
    assert sorted(keep("log_artifact", "out")[0]) == ["out/a.txt", "out/deep/b.txt", "out/link.txt"]
    assert sorted(keep("log_artifacts", "out", "in")[0]) == ["in/a.txt", "in/deep/b.txt", "in/link.txt"]


def test_one_file_of_a_folder_that_cannot_be_kept_does_not_take_the_others_with_it(keep, repo):
    (repo / "out").mkdir()
    (repo / "out" / "a.txt").write_text("a")
    (repo / "out" / "z.txt").write_text("z")
    with open(os.fsencode(repo / "out") + b"/\xff.txt", "w") as file:
        file.write("a name that is not UTF-8")
    found, errors = keep("log_artifacts", "out")
    assert sorted(found) == ["a.txt", "z.txt"]
    assert len(errors) == 1
    assert "1 files of 'out' are not kept" in errors[0]


def test_names_that_would_mislead_git_or_dvc_come_back_as_they_were(keep, repo, git):
    with gittrack.start_run(strict=True) as run:
        names = [
            ".github/config",
            "data.dvc",
            "dvc.yaml",
            ".gitignore",
            "A.txt",
            "a.txt",
            "nul",
            "x" * 300,
            "-rf",
            "a b/ü",
            "a",
            "A.txt.d/b",
        ]
        for name in names:
            run.log_text(name, name)
    saved = gittrack.get_run(run.id)
    assert {path: saved.artifact(path).decode() for path in paths_of(saved)} == {name: name for name in names}
    git("fsck", "--strict", cwd=repo)


@pytest.mark.parametrize(("limit", "storage"), [("10", "pointer"), ("11", "inline"), ("1k", "inline")])
def test_bytes_up_to_the_limit_lie_in_git_and_larger_ones_in_the_store(repo, git, limit, storage):
    git("config", "gittrack.inlineLimit", limit, cwd=repo)
    with gittrack.start_run() as run:
        run.log_text("12345678901", "a.txt")
    saved = gittrack.get_run(run.id)
    assert [entry.storage for entry in saved.record.artifacts] == [storage]
    assert saved.artifact("a.txt") == b"12345678901"
    pointer = f"runs/inbox/{run.id}:artifacts/a.txt" + (".dvc" if storage == "pointer" else "")
    assert ("md5" in git("show", pointer, cwd=repo)) == (storage == "pointer")


def test_texts_are_utf_8_and_bytes_stay_bytes(keep):
    assert keep("log_text", "ü\n", "a.txt") == ({"a.txt": "ü\n".encode()}, [])
    assert keep("log_text", b"\xff\x00", "a.bin") == ({"a.bin": b"\xff\x00"}, [])


DOCUMENT = {
    "a": [1, 2.5, "x", None, True],
    "nan": float("nan"),
    "numpy": np.float32(0.5),
    "array": np.arange(3),
    "date": datetime.date(2024, 1, 1),
    "nested": {"b": (1, 2)},
    1: "one",
}


@pytest.mark.parametrize("name", ["a.json", "a.yaml", "a.yml", "a.toml", "a.txt"])
def test_documents_are_json_yaml_or_toml_by_their_suffix(keep, name):
    given = dict(DOCUMENT)
    if name == "a.toml":  # which has no null
        given["a"] = [each for each in DOCUMENT["a"] if each is not None]
    found, errors = keep("log_dict", given, name)
    assert errors == []
    read = {"yaml": yaml.safe_load, "yml": yaml.safe_load, "toml": lambda text: tomllib.loads(text.decode())}
    data = read.get(name.rpartition(".")[2], json.loads)(found[name])
    assert data["nested"] == {"b": [1, 2]}
    assert data["array"] == [0, 1, 2]
    assert data["numpy"] == 0.5
    assert data["1"] == "one"
    assert str(data["date"]) == "2024-01-01"
    assert data["a"] == [1, 2.5, "x", True] if name == "a.toml" else [1, 2.5, "x", None, True]
    assert data["nan"] != data["nan"]


def test_a_list_is_a_document_too_but_not_in_toml(keep):
    assert json.loads(keep("log_dict", [1, {"a": 2}], "a.json")[0]["a.json"]) == [1, {"a": 2}]
    found, errors = keep("log_dict", [1], "a.toml")
    assert (found, len(errors)) == ({}, 1)


class PlotlyFigure:
    """A plotly figure, as far as logging can tell."""

    def to_plotly_json(self):
        return {"data": []}

    def to_json(self):
        return '{"data":[]}'

    def to_html(self, include_plotlyjs):
        return f"<html>{include_plotlyjs}</html>"

    def to_image(self, format):
        return format.encode()


@pytest.mark.parametrize(
    ("name", "start"),
    [("a.png", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.pdf", b"%PDF"), ("a.jpg", b"\xff\xd8"), ("plot", b"\x89PNG")],
)
def test_figures_of_matplotlib(keep, name, start):
    from matplotlib import pyplot

    figure, axes = pyplot.subplots()
    axes.plot([1, 2])
    try:
        found, errors = keep("log_figure", figure, name)
        assert errors == []
        assert found[name].startswith(start)
        again, _ = keep("log_figure", pyplot, name)  # the module stands for its current figure
        assert again[name].startswith(start)
    finally:
        pyplot.close(figure)


@pytest.mark.parametrize(
    ("name", "data"),
    [("a.html", b"<html>cdn</html>"), ("a.json", b'{"data":[]}'), ("a.png", b"png"), ("a", b"<html>cdn</html>")],
)
def test_figures_of_plotly(keep, name, data):
    assert keep("log_figure", PlotlyFigure(), name) == ({name: data}, [])


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


RGB = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (RGB, RGB),
        (RGB[:, :, 0], RGB[:, :, 0]),
        (RGB[:, :, :1], RGB[:, :, 0]),
        (RGB / 255, RGB),
        (RGB > 10, np.where(RGB > 10, 255, 0)),
        (np.dstack([RGB, RGB[:, :, :1]]), np.dstack([RGB, RGB[:, :, :1]])),
        (np.moveaxis(RGB, 2, 0), RGB),
        (Tensor(np.moveaxis(RGB, 2, 0)), RGB),
        (Tensor(RGB), RGB),
        (Image.fromarray(RGB), RGB),
        (RGB[:, :, 0].tolist(), RGB[:, :, 0]),
        (np.array([[-1e-7, 1 + 1e-7]]), np.array([[0, 255]])),
        (np.array([[0, 255]]), np.array([[0, 255]])),
    ],
    ids=[
        "rgb",
        "grey",
        "one",
        "floats",
        "bools",
        "rgba",
        "chw",
        "tensor chw",
        "tensor",
        "pil",
        "list",
        "rounding",
        "ints",
    ],
)
def test_images_come_back_pixel_by_pixel(keep, image, expected):
    found, errors = keep("log_image", image, "a.png")
    assert errors == []
    assert np.array_equal(pixels(found["a.png"]), expected)


def test_images_are_named_by_key_and_step(keep):
    assert list(keep("log_image", RGB, key="val/sample", step=7)[0]) == ["images/val/sample/7.png"]
    assert list(keep("log_image", RGB)[0]) == ["images/image/0.png"]
    assert keep("log_image", Image.fromarray(RGB), "a.jpg")[0]["a.jpg"].startswith(b"\xff\xd8")


@pytest.mark.parametrize(
    "image", [np.zeros((2, 2, 2, 2)), np.zeros((0, 3)), np.array(1), np.zeros((5, 6, 7)), "path.png"]
)
def test_what_is_no_image_is_said(keep, image):
    found, errors = keep("log_image", image, "a.png")
    assert (found, len(errors)) == ({}, 1)


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ([[0.0, 2.0]], "floats of the image lie between 0.0 and 2.0, not between 0 and 1"),
        ([[-0.5, 1.0]], "floats of the image lie between -0.5 and 1.0"),
        ([[np.nan, 0.5]], "between nan and nan"),
        ([[0.0, np.inf]], "between 0.0 and inf"),
        ([[0, 1000]], "whole numbers of the image lie between 0 and 1000, not between 0 and 255"),
        ([[-1, 5]], "between -1 and 5"),
        ([["a", "b"]], "is no image"),
        ([[1j, 2]], "an array of complex128 is no image"),
    ],
)
def test_pixels_out_of_their_range_are_refused_not_clipped(keep, numbers, said):
    found, (error,) = keep("log_image", np.array(numbers), "a.png")
    assert found == {}
    assert said in error


def test_an_array_is_never_kept_under_the_name_of_another_format(keep):
    found, (error,) = keep("log_image", RGB, "i.jpg")
    assert (found, error) == ({}, "log_image: an array is kept as PNG, and 'i.jpg' is of another format")
    assert list(keep("log_image", RGB, "without suffix")[0]) == ["without suffix"]


@pytest.mark.parametrize("name", ["t.xlsx", "t.tsv", "t.CSV.gz"])
def test_a_table_is_never_kept_under_the_name_of_another_format(keep, name):
    found, (error,) = keep("log_table", pd.DataFrame({"a": [1]}), name)
    assert (found, "is kept as CSV, JSON or Parquet" in error) == ({}, True)
    assert keep("log_table", {"a": [1]}, name)[0] == {}


def test_toml_that_cannot_hold_a_value_is_refused(keep):
    found, (error,) = keep("log_dict", {"a": {"n": None}, "b": 1}, "d.toml")
    assert (found, error) == ({}, "log_dict: 'd.toml' cannot hold None, which TOML does not have: 'a.n'")
    assert "'b[1]'" in keep("log_dict", {"b": [1, None]}, "d.toml")[1][0]


FRAME = pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": [0.5, float("nan")]})


def test_tables_of_pandas(keep):
    assert keep("log_table", FRAME, "a.csv") == ({"a.csv": b"a,b,c\n1,x,0.5\n2,,\n"}, [])
    found, _ = keep("log_table", FRAME, "a.json")
    assert json.loads(found["a.json"]) == [{"a": 1, "b": "x", "c": 0.5}, {"a": 2, "b": None, "c": None}]
    assert keep("log_table", {"a": [1, 2]}, "b.csv")[0] == {"b.csv": b"a\n1\n2\n"}
    assert keep("log_table", [{"a": 1}, {"a": 2}], "b.csv")[0] == {"b.csv": b"a\n1\n2\n"}


def test_parquet_without_pyarrow_says_what_to_install(keep, monkeypatch):
    for engine in ("pyarrow", "fastparquet"):
        monkeypatch.setitem(sys.modules, engine, None)
    found, (said,) = keep("log_table", FRAME, "a.parquet")
    assert found == {}
    assert said == "log_table: Parquet needs pyarrow"
    run = gittrack.start_run(strict=True)
    with pytest.raises(MissingDependencyError) as caught, run:
        run.log_table(FRAME, "a.parquet")
    assert caught.value.hint == "pip install pyarrow"


def test_tables_without_pandas(program):
    done = program("""
import sys
import gittrack
with gittrack.start_run("it") as run:
    run.log_table({"a": [1, 2], "b": ["x", None]}, "a.csv")
    run.log_table({"a": [1, 2]}, "a.json")
    run.log_table({"a": [1], "b": [1, 2]}, "bad.csv")
assert "pandas" not in sys.modules
""")
    assert done.returncode == 0, done.stderr
    saved = gittrack.get_run("it")
    assert saved.artifact("a.csv") == b"a,b\n1,x\n2,\n"
    assert json.loads(saved.artifact("a.json")) == [{"a": 1}, {"a": 2}]
    assert len(errors_of(saved)) == 1


def test_messages_name_a_type_with_its_article(keep):
    assert keep("log_image", object(), "a.png")[1] == ["log_image: an object is no image"]
    assert keep("log_figure", {}, "a.png")[1] == ["log_figure: a dict is no figure of matplotlib or plotly"]
    assert keep("log_figure", RGB, "a.png")[1] == ["log_figure: an ndarray is no figure of matplotlib or plotly"]


@pytest.mark.parametrize("table", [None, "text", b"bytes", 5, {"a": 1}, {"a": [1], "b": [1, 2]}], ids=repr)
def test_what_is_no_table_is_said(keep, table):
    found, errors = keep("log_table", table, "a.csv")
    assert (found, len(errors)) == ({}, 1)


def inputs(repo, *arguments, **more):
    with gittrack.start_run() as run:
        run.log_input(*arguments, **more)
    saved = gittrack.get_run(run.id)
    assert errors_of(saved) == []
    (item,) = saved.record.inputs
    return item


def test_inputs_are_paths_uris_frames_and_arrays(repo):
    (repo / "data.csv").write_text("a\n1\n")
    item = inputs(repo, "data.csv", role="train")
    assert (item.name, item.uri, item.role, item.size, item.source) == ("data.csv", "data.csv", "train", 4, "computed")
    assert item.digest == "md5:34ff2335cbe2045ddc3b78993d1e971d"
    assert inputs(repo, repo / "data.csv", "mine", digest="md5:0").digest == "md5:0"
    uri = inputs(repo, "s3://me:pw@bucket/key?sig=1")
    assert (uri.uri, uri.digest) == ("s3://bucket/key", "")
    frame = inputs(repo, FRAME, "table", role="test")
    assert list(frame.schema) == ["a", "b", "c"]
    assert frame.digest == inputs(repo, FRAME.copy(), "again").digest
    assert frame.digest != inputs(repo, FRAME.iloc[:1], "less").digest
    assert inputs(repo, np.zeros(3)).schema == {"3": "float64"}


def test_a_dvc_file_beside_an_input_is_believed(repo):
    (repo / "big.bin.dvc").write_text("outs:\n- md5: d41d8cd98f00b204e9800998ecf8427e\n  path: big.bin\n")
    item = inputs(repo, "big.bin")
    assert (item.digest, item.source) == ("md5:d41d8cd98f00b204e9800998ecf8427e", ".dvc")


@pytest.mark.parametrize("data", ["", "no-such-file", b"bytes", 5, [1, 2]], ids=repr)
def test_what_is_no_input_is_said(keep, repo, data):
    assert len(keep("log_input", data)[1]) == 1


def test_a_link_to_a_file_is_kept_as_its_content_wherever_that_lies(repo, tmp_path, capfd):
    folder, outside = tmp_path / "made", tmp_path / "outside"
    for each in (folder, outside):
        each.mkdir()
    (outside / "model.bin").write_bytes(b"weights")
    (folder / "real.txt").write_text("real")
    (folder / "inner").symlink_to("real.txt")
    (folder / "outer").symlink_to(outside / "model.bin")
    (folder / "directory").symlink_to(outside)
    with gittrack.start_run("it") as run:
        run.log_artifacts(folder)
    saved = gittrack.get_run("it")
    assert paths_of(saved) == ("inner", "outer", "real.txt")
    assert (saved.artifact("inner"), saved.artifact("outer")) == (b"real", b"weights")
    (said,) = [line for line in capfd.readouterr().err.splitlines() if "log_artifacts" in line]
    assert f"of folder '{folder}' 1 link to a folder ('directory') is left out" in said


def test_what_is_no_file_in_a_folder_is_counted_in_one_line(repo, tmp_path, capfd):
    folder = tmp_path / "made"
    (folder / "sub").mkdir(parents=True)
    (folder / "real.txt").write_text("real")
    os.mkfifo(folder / "fifo")
    os.mkfifo(folder / "sub" / "fifo")
    (folder / "latest").symlink_to(folder / "sub")
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(folder)
        server.bind("socket")
        os.chdir(repo)
        with gittrack.start_run("it", strict=True) as run:  # nothing failed
            run.log_artifact(folder)
    saved = gittrack.get_run("it")
    assert paths_of(saved) == ("made/real.txt",)
    (said,) = [line for line in capfd.readouterr().err.splitlines() if "left out" in line]
    (kept,) = errors_of(saved)
    for line in (said, kept):
        for part in ("2 pipes", "1 socket", "1 link to a folder", "are left out"):
            assert part in line


def test_a_link_to_a_folder_is_kept_under_its_own_name_as_one_to_a_file_is(repo, monkeypatch):
    (repo / "step-7" / "sub").mkdir(parents=True)
    (repo / "step-7" / "a.txt").write_text("a")
    (repo / "latest").symlink_to("step-7")
    monkeypatch.chdir(repo / "step-7")
    with gittrack.start_run("it") as run:
        run.log_artifact(repo / "latest")
        run.log_artifact(repo / "latest" / "sub" / "..", "up")
        run.log_artifact(".", "here")
    assert paths_of(gittrack.get_run("it")) == ("here/step-7/a.txt", "latest/a.txt", "up/step-7/a.txt")


def test_a_link_that_leads_nowhere_or_in_a_circle_is_a_warning(repo, tmp_path, capfd):
    folder = tmp_path / "made"
    folder.mkdir()
    (folder / "real.txt").write_text("real")
    (folder / "broken").symlink_to(tmp_path / "nothing")
    (folder / "loop").symlink_to(folder / "pool")
    (folder / "pool").symlink_to(folder / "loop")
    (folder / "self").symlink_to(folder)
    with gittrack.start_run("it") as run:
        run.log_artifacts(folder)
    saved = gittrack.get_run("it")
    assert (saved.status.value, paths_of(saved)) == ("finished", ("real.txt",))
    lines = [line for line in capfd.readouterr().err.splitlines() if "log_artifacts" in line]
    assert "1 link to a folder ('self') is left out" in lines.pop(0)
    (warning,) = lines
    assert "3 files of" in warning and "leads nowhere" in warning
