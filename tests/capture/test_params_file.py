from __future__ import annotations

import datetime
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gittrack.capture.script_params import read_params_file
from gittrack.errors import InvalidValueError

ROOT = Path(__file__).resolve().parents[2]


def _file(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("p.toml", 'lr = 0.001\n[model]\nname = "vit"\nlayers = [1, 2]\n'),
        ("p.yaml", "lr: 1e-3\nmodel:\n  name: vit\n  layers: [1, 2]\n"),
        ("P.YML", "lr: 0.001\nmodel: {name: vit, layers: [1, 2]}\n"),
        ("p.json", '\ufeff{"lr": 0.001, "model": {"name": "vit", "layers": [1, 2]}}'),
        ("pyproject.toml", '[tool.gittrack.params]\nlr = 0.001\nmodel = {name = "vit", layers = [1, 2]}\n'),
    ],
)
def test_every_format_gives_the_same_params(tmp_path: Path, name: str, content: str) -> None:
    assert read_params_file(_file(tmp_path, name, content)) == {"lr": 0.001, "model": {"name": "vit", "layers": [1, 2]}}


@pytest.mark.parametrize(("written", "value"), [("1e-3", 0.001), ("1E5", 1e5), ("'1e-3'", "1e-3"), ("-.5e2", -50.0)])
def test_an_exponent_in_yaml_is_a_number_unless_quoted(tmp_path: Path, written: str, value: object) -> None:
    assert read_params_file(_file(tmp_path, "p.yaml", f"x: {written}\n")) == {"x": value}


def test_yaml_knows_dates_nulls_and_anchors(tmp_path: Path) -> None:
    text = "base: &base {lr: 1}\nbig:\n  <<: *base\n  day: 2024-01-02\n  none: null\n1: one\n"
    assert read_params_file(_file(tmp_path, "p.yaml", text)) == {
        "base": {"lr": 1},
        "big": {"lr": 1, "day": datetime.date(2024, 1, 2), "none": None},
        "1": "one",
    }


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("p.toml", "lr = 1\nx = = 2\n", r"p\.toml.*line 2"),
        ("p.yaml", "lr: 1\nx: [1,\n", r"'p\.yaml' is not valid YAML in line"),
        ("p.yaml", "a: 1\n---\nb: 2\n", r"'p\.yaml' is not valid YAML in line 2"),
        ("p.yaml", "x: !!python/object/apply:os.system ['false']\n", r"not valid YAML in line 1"),
        ("p.yaml", "x: 2024-13-45\n", "not valid YAML"),
        ("p.yaml", "- 1\n- 2\n", "holds no table of params at its top, but a list"),
        ("p.yaml", "[" * 5000, "nested too deeply"),
        ("p.yaml", "a: &a [*a]\n", "nested too deeply"),
        ("p.json", '{\n"lr": 1,\n}', "line 3"),
        ("p.json", "[1]", "but a list"),
        ("p.json", '{"a":' * 20_000, "nested too deeply"),
        ("p.json", '{"a": ' + "9" * 5000 + "}", "not valid JSON"),
        ("p.json", b'{"a":\n"\xff"}', "not valid UTF-8 in line 2"),
        ("p.toml", "a." * 5000 + "b = 1", r"p\.toml"),
        ("p.ini", "[a]\nb=1\n", "not a kind of params file"),
        ("pyproject.toml", "[tool.other]\nx = 1\n", "no table"),
        ("pyproject.toml", "tool = 1\n", "no table"),
        ("p.json", b" " * (8 * 1024 * 1024 + 1), "too big"),
    ],
)
def test_a_bad_file_is_refused_with_its_name_and_place(
    tmp_path: Path, name: str, content: str | bytes, message: str
) -> None:
    with pytest.raises(InvalidValueError, match=message) as caught:
        read_params_file(_file(tmp_path, name, content))
    assert not caught.value.message.endswith(".")


def test_aliases_that_unfold_to_billions_are_refused(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    with pytest.raises(InvalidValueError, match="too many values"):
        read_params_file(_file(tmp_path, "p.yaml", "\n".join(lines)))


def test_a_missing_file_a_folder_and_a_pipe_are_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match="cannot be read: no such file"):
        read_params_file(tmp_path / "absent.toml")
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(InvalidValueError, match=r"folder\.toml"):
        read_params_file(tmp_path / "folder.toml")
    os.mkfifo(tmp_path / "pipe.toml")
    with pytest.raises(InvalidValueError, match="is not a file"):
        read_params_file(tmp_path / "pipe.toml")


def test_without_pyyaml_the_error_says_what_to_install(tmp_path: Path) -> None:
    path = _file(tmp_path, "p.yaml", "lr: 1\n")
    program = (
        "import sys; sys.modules['yaml'] = None\n"
        "from pathlib import Path\n"
        "from gittrack.capture.params_file import read_params_file\n"
        "from gittrack.errors import MissingDependencyError\n"
        f"try:\n    read_params_file(Path({str(path)!r}))\n"
        "except MissingDependencyError as error:\n    print(error.message, '|', error.hint)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "'p.yaml' needs PyYAML, which is not installed | pip install 'gittrack[yaml]'"
