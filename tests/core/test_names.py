"""Any name gets a file that git and every file system can hold, and nothing anybody calls things can mislead."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gittrack.core.names import (
    artifact_paths,
    cell_width,
    check_artifact_path,
    check_experiment_name,
    check_metric_name,
    check_param_name,
    check_run_name,
    check_tag_key,
    decode_component,
    display,
    encode_component,
    make_name,
    metric_path,
    metric_paths,
)
from gittrack.errors import InvalidNameError

unicode = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
# Pieces that collide when put together: case, separators, suffixes, devices, look-alikes of the encoding itself.
tricky = st.lists(
    st.sampled_from(
        "a A b / . % ~ .csv .CSV .dvc .git dvc.yaml con NUL lpt1 Lpt1 LPT1 %4C %41 é e\u0301 - _ _".split()
    ),
    min_size=1,
    max_size=6,
).map("".join)
names = st.one_of(unicode, tricky, st.text("aA", min_size=100, max_size=300))
name_sets = st.lists(names, max_size=12, unique=True)

SAFE = re.compile(r"[A-Za-z0-9_\-%=+,()@][A-Za-z0-9._\-%~=+,()@ ]*")
DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{digit}" for port in ("com", "lpt") for digit in range(10))}


@pytest.mark.parametrize("pair", [("NUL", "nul"), ("X" * 200, "x" * 200), ("LOSS.CSV", "loss.csv"), (".A", ".a")])
def test_capitals_are_told_apart_before_anything_else_is_encoded(pair: tuple[str, str]) -> None:
    capitals = "".join(f"%{ord(char):02X}" if char.isupper() else char for char in pair[0])
    first, second = (metric_paths(pair)[name].removeprefix("metrics/").removesuffix(".csv") for name in pair)
    assert first[:100] == capitals.replace(".A", "%2EA")[:100] if capitals[0] != "." else first == "%2E%41"
    assert second == encode_component(pair[1], suffix=".csv")


def assert_safe(path: str) -> None:
    """The path can be checked out on Linux, macOS and Windows, and stored in a git tree."""
    parts = path.split("/")
    assert len(parts) <= 33
    for part in parts:
        assert SAFE.fullmatch(part), part
        assert len(part) <= 155
        assert not part.endswith((".", " "))
        assert part.split(".")[0].rstrip(" ").casefold() not in DEVICES
        assert not part.casefold().startswith((".git", ".dvc"))
        assert part.casefold() not in ("dvc.yaml", "dvc.lock")


def assert_compatible(paths: list[str]) -> None:
    """The paths can lie beside one another even where case is ignored: none twice, none both file and folder."""
    folded = [path.casefold() for path in paths]
    assert len(set(folded)) == len(folded)
    folders = {"/".join(path.split("/")[:end]) for path in paths for end in range(1, path.count("/") + 1)}
    assert folders.isdisjoint(paths)
    assert {folder.casefold() for folder in folders}.isdisjoint(folded)
    assert len({folder.casefold() for folder in folders}) == len(folders)


@given(names)
@example("")
@example("%")
@example("a%")
@example(".csv")
@example("x" * 151)
def test_a_part_is_read_back_unless_it_was_cut(text: str) -> None:
    for encoded in (
        encode_component(text),
        encode_component(text, capitals=True),
        encode_component(text, suffix=".csv"),
        encode_component(text).removesuffix("%") + "%",
    ):
        if "~" not in encoded:
            assert decode_component(encoded) == text
        else:
            assert len(text.encode()) > 39
            assert len(encoded) <= 151


@given(name_sets)
@example(["Loss", "loss", "LOSS", "%4Coss"])
@example(["a", "a.csv/b", "A.CSV"])
@example(["Lpt1", "LPT1", "lpt1", "lpt1.x"])
@example(["a/", "a//", "/a", "a", "/", "//"])
@example(["/".join("ab" * 40), "/".join("ab" * 41), "/".join("ab" * 16)])
@example(["x" * 500, "X" * 500, "x" * 501, "é" * 60, "e\u0301" * 60])
def test_metrics_get_files_that_are_safe_and_apart(some: list[str]) -> None:
    paths = metric_paths(some)
    assert list(paths) == some
    for path in paths.values():
        assert_safe(path)
        assert path.startswith("metrics/")
        assert path.endswith(".csv")
    assert_compatible(list(paths.values()))
    assert metric_paths(reversed(some)) == paths


@given(name_sets)
@example(["a", "a/b", "A", "a/b/c", "a%", "a.dvc"])
@example(["é", "é/x", "x", "x.dvc/y", "X.DVC"])
def test_artifacts_get_files_that_are_safe_and_apart(some: list[str]) -> None:
    checked = sorted({check_artifact_path(name) for name in some if is_artifact_path(name)})
    paths = artifact_paths(checked)
    assert list(paths) == checked
    for path in paths.values():
        assert_safe(path)
        assert path.startswith("artifacts/")
        assert not path.endswith(".dvc")
    assert_compatible(list(paths.values()))
    assert_compatible([path + ".dvc" for path in paths.values()])
    assert artifact_paths(reversed(checked)) == paths


def is_artifact_path(path: str) -> bool:
    try:
        check_artifact_path(path)
    except InvalidNameError:
        return False
    return True


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("train/loss", "metrics/train/loss.csv"),
        ("val loss", "metrics/val loss.csv"),
        (" loss ", "metrics/%20loss%20.csv"),
        ("nul .x", "metrics/%6Eul .x.csv"),
        ("lr=0.1,b=(2)+3", "metrics/lr=0.1,b=(2)+3.csv"),
        ("f1@0.5", "metrics/f1@0.5.csv"),
        ("..", "metrics/%2E%2E.csv"),
        ("../../x", "metrics/%2E%2E/%2E%2E/x.csv"),
        ("/", "metrics/%/%.csv"),
        ("/etc/passwd", "metrics/%/etc/passwd.csv"),
        ("-x", "metrics/-x.csv"),
        ("a\0b", "metrics/a%00b.csv"),
        ("a\nb", "metrics/a%0Ab.csv"),
        (".git/config", "metrics/%2Egit/config.csv"),
        ("loss.csv", "metrics/loss%2Ecsv.csv"),
        ("nul", "metrics/%6Eul.csv"),
        ("AUX.x/loss", "metrics/%41UX.x/loss.csv"),
        ("\u202eloss", "metrics/%E2%80%AEloss.csv"),
        ("🚀", "metrics/%F0%9F%9A%80.csv"),
        ("C:\\x", "metrics/C%3A%5Cx.csv"),
        ("50%", "metrics/50%25.csv"),
        ("git~1", "metrics/git%7E1.csv"),
    ],
)
def test_the_path_of_a_metric(name: str, path: str) -> None:
    assert metric_path(name) == path


def test_composed_and_decomposed_characters_are_two_names_with_two_files() -> None:
    composed, decomposed = unicodedata.normalize("NFC", "é"), unicodedata.normalize("NFD", "é")
    assert metric_paths([composed, decomposed]) == {
        composed: "metrics/%C3%A9.csv",
        decomposed: "metrics/e%CC%81.csv",
    }


def test_a_long_part_is_cut_and_ends_in_its_hash() -> None:
    long = encode_component("x" * 151)
    assert len(long) == 150
    assert re.fullmatch(r"x{117}~[0-9a-f]{32}", long)
    assert encode_component("x" * 150) == "x" * 150
    assert encode_component("x" * 152) != long
    # No escape is cut in half.
    assert re.fullmatch(r"x(%[0-9A-F]{2}){38}~[0-9a-f]{32}", encode_component("x" + "é" * 100))
    with pytest.raises(InvalidNameError):
        decode_component(long)


@pytest.mark.parametrize("encoded", ["a/b", "a:b", "%4c", "%G0", "a%2", "%FF", "é", "a~b", "a%%"])
def test_what_is_no_encoded_part_is_refused(encoded: str) -> None:
    with pytest.raises(InvalidNameError):
        decode_component(encoded)


def test_git_and_the_file_system_hold_every_path(repo: Path, git: Callable[..., str]) -> None:
    hostile = ["..", ".git", "-x", "a\0b", "a\nb", "a", "a/b", "A", "nul", "x" * 900, "é" * 400, "/".join("ab" * 400)]
    hostile += ["\u202e", "🚀", "/", "a.csv/b", "a" + "/x" * 499]
    paths = metric_paths(hostile)
    for path in paths.values():
        (repo / path).parent.mkdir(parents=True, exist_ok=True)
        (repo / path).write_text(path)
    git("-c", "core.protectNTFS=true", "-c", "core.protectHFS=true", "add", "metrics", cwd=repo)
    git("commit", "-q", "-m", "metrics", cwd=repo)
    assert git("fsck", "--strict", cwd=repo) == ""
    listed = git("ls-tree", "-r", "--name-only", "HEAD", "metrics", cwd=repo).splitlines()
    assert sorted(listed) == sorted(paths.values())


@pytest.mark.parametrize("check", [check_metric_name, check_param_name, check_tag_key])
def test_metrics_params_and_tags_may_be_called_anything_up_to_a_thousand_bytes(check: Callable[[str], str]) -> None:
    for name in ("..", "/", "-x", "a\0b", "\u202e", "a.b", " ", "🚀" * 250, "x" * 1000):
        assert check(name) == name
    for name in ("", "x" * 1001, "🚀" * 251, "x" * (1 << 20), "\udc80"):
        with pytest.raises(InvalidNameError) as caught:
            check(name)
        assert len(caught.value.message) < 200
    with pytest.raises(InvalidNameError, match="must be a string, not int"):
        check(1)  # type: ignore[arg-type]


@pytest.mark.parametrize("check", [check_run_name, check_experiment_name])
def test_runs_and_experiments_have_one_line_titles(check: Callable[[str], str]) -> None:
    for name in ("x", "churn/xgb", "-x", "..", "naïve café 🚀", "e\u0301", "\u200fעברית", "x" * 250):
        assert check(name) == name
    for name in ("", " ", "\t", "a\nb", "a\0b", "a\x1b[31mb", "a\u2028b", "x" * 251, "x" * (1 << 20), "\ud800"):
        with pytest.raises(InvalidNameError) as caught:
            check(name)
        assert len(caught.value.message) < 250
        assert caught.value.message.isprintable()
    with pytest.raises(InvalidNameError, match="must be a string, not NoneType"):
        check(None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("model.pkl", "model.pkl"),
        ("./plots//roc.png", "plots/roc.png"),
        ("plots/", "plots"),
        ("plots\\roc.png", "plots/roc.png"),
        ("-x", "-x"),
        ("a..b/...", "a..b/..."),
        ("a/b:c", "a/b:c"),
        ("naïve 🚀\n", "naïve 🚀\n"),
    ],
)
def test_an_artifact_path_is_put_in_order(path: str, kept: str) -> None:
    assert check_artifact_path(path) == kept


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        "/",
        "./.",
        "/etc/passwd",
        "..",
        "a/../b",
        "a/..",
        "..\\x",
        "\\x",
        "C:\\x",
        "c:x",
        "a\0b",
        "\udc80",
        "x" * 4001,
    ],
)
def test_an_artifact_path_that_leaves_its_folder_is_refused(path: str) -> None:
    with pytest.raises(InvalidNameError) as caught:
        check_artifact_path(path)
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 200


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("loss", "loss"),
        ("naïve 日本 🚀 e\u0301", "naïve 日本 🚀 e\u0301"),
        ("a\x1b[31m\n\t\r\0\x7f\x9b", "a\\x1b[31m\\n\\t\\r\\x00\\x7f\\x9b"),
        ("\u202eabc\u2066\u200b\ufeff\u200f", "\\u202eabc\\u2066\\u200b\\ufeff\\u200f"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("a\u2028b", "a\\u2028b"),
        ("a\u3000b\xa0c", "a\u3000b\xa0c"),
    ],
)
def test_nothing_is_shown_that_a_terminal_would_obey(text: str, shown: str) -> None:
    assert display(text) == shown


@given(st.text(), st.integers(0, 20))
def test_shown_text_is_harmless_and_fits(text: str, width: int) -> None:
    shown = display(text, width)
    assert cell_width(shown) <= width
    assert all(char.isprintable() or unicodedata.category(char) == "Zs" for char in shown)
    if cell_width(display(text)) <= width and len(text) <= width:
        assert shown == display(text)
    elif not display(text).startswith(shown):
        assert shown.endswith("…")


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("metric", 6, "metric"),
        ("metrics", 6, "metri…"),
        ("日本語", 6, "日本語"),
        ("日本語", 5, "日本…"),
        ("日本語", 4, "日…"),
        ("x", 0, ""),
        ("xy", 1, "…"),
        ("x" * (1 << 20), 3, "xx…"),
        ("e" + "\u0301" * 1000, 3, "e" + "\u0301" * 30 + "…"),
    ],
)
def test_a_wide_text_is_cut(text: str, width: int, shown: str) -> None:
    assert display(text, width) == shown


@given(st.binary(min_size=4, max_size=16))
def test_a_made_up_name_is_a_valid_run_name(random: bytes) -> None:
    name = make_name(random)
    assert re.fullmatch(r"[a-z]+-[a-z]+-[1-9][0-9]{2}", name)
    assert check_run_name(name) == name
    assert make_name(random) == name


def test_made_up_names_differ() -> None:
    assert len({make_name(bytes((a, b, 0, 0))) for a in range(64) for b in range(64)}) == 64 * 64
