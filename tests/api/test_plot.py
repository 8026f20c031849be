"""Files of curves: written whole or not at all, in three formats, hostile names and a damaged run included."""

from __future__ import annotations

import itertools
import math
import os
import threading
from pathlib import Path

import pytest

import gittrack
from gittrack.api.live_runs import LiveRuns, has_ended
from gittrack.api.plot import View, check_target, default_metrics, draw, find_runs, write_charts
from gittrack.api.project import Project
from gittrack.core.curves import Chart, Curve
from gittrack.core.metric_choice import named_by, telling_first
from gittrack.errors import ConflictError, InvalidValueError, NotFoundError, StorageError, UsageError

CHART = Chart("loss $x^2$ \x1b[31m 日本", (Curve("_run $\\frac{1}$", "1" * 32, [0, 1, 2], [1.0, math.inf, 0.5]),))


def record(name, **metrics):
    with gittrack.start_run(name=name, strict=True) as run:
        for metric, values in metrics.items():
            for value in values:
                run.log_metric(metric, value)
    return run.id


@pytest.mark.parametrize(
    ("suffix", "begins"),
    [(".svg", b"<svg "), (".html", b"<!DOCTYPE html>"), (".png", b"\x89PNG\r\n"), (".PNG", b"\x89PNG")],
)
def test_a_file_is_written_whole_and_nothing_is_left_beside_it(tmp_path, suffix, begins):
    if suffix.lower() == ".png":
        pytest.importorskip("matplotlib")
    target = tmp_path / f"curve{suffix}"
    write_charts(target, [CHART, Chart("empty")])
    assert target.read_bytes().startswith(begins)
    assert [path for path in tmp_path.iterdir() if "curve" in path.name] == [target]
    assert target.stat().st_mode & 0o777 == 0o666 & ~_umask()


def _umask() -> int:
    before = os.umask(0)
    os.umask(before)
    return before


def test_a_png_asks_nothing_of_a_matplotlibrc_that_lies_about(tmp_path, monkeypatch, project_env):
    pytest.importorskip("matplotlib")
    import subprocess
    import sys

    (tmp_path / "matplotlibrc").write_text("text.usetex: True\nsavefig.dpi: 10\n")
    program = (
        "from tests.api.test_plot import *; import matplotlib\n"
        "assert matplotlib.rcParams['text.usetex'], 'the file is not read'\n"
        "write_charts(Path('a.png'), [CHART]); assert matplotlib.rcParams['text.usetex'], 'settings are as before'"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=project_env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    width = int.from_bytes((tmp_path / "a.png").read_bytes()[16:20], "big")
    assert width == 1200


def test_a_png_shows_points_that_stand_alone_between_gaps(tmp_path):
    pytest.importorskip("matplotlib")
    from matplotlib.image import imread

    values = [1.0, math.nan, 2.0, math.nan, 3.0]
    write_charts(tmp_path / "a.png", [Chart("loss", (Curve("a", "1" * 32, list(range(5)), values),))])
    picture = imread(tmp_path / "a.png")
    blue = (picture[:, :, 2] > 0.6) & (picture[:, :, 0] < 0.2)
    rows = [number for number in range(blue.shape[0]) if blue[number].any()]
    places = 1 + sum(later - earlier > 20 for earlier, later in itertools.pairwise(rows))
    assert places == 4  # three points, and the line of the legend


def test_a_file_that_is_there_is_not_replaced_unless_asked(tmp_path):
    target = tmp_path / "curve.svg"
    target.write_text("mine")
    with pytest.raises(ConflictError, match="is there already") as refused:
        write_charts(target, [CHART])
    assert refused.value.exit_code == 5
    assert target.read_text() == "mine"
    write_charts(target, [CHART], force=True)
    assert target.read_text().startswith("<svg")


def test_a_link_is_replaced_and_what_it_names_is_not_touched(tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("mine")
    (tmp_path / "curve.svg").symlink_to(precious)
    with pytest.raises(ConflictError):
        write_charts(tmp_path / "curve.svg", [CHART])
    write_charts(tmp_path / "curve.svg", [CHART], force=True)
    assert precious.read_text() == "mine"
    assert not (tmp_path / "curve.svg").is_symlink()


def test_of_several_that_write_one_file_at_once_one_succeeds(tmp_path):
    target, refused = tmp_path / "curve.svg", []

    def write() -> None:
        try:
            write_charts(target, [CHART])
        except ConflictError:
            refused.append(1)

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 7
    assert target.read_text().endswith("</svg>\n")


def test_what_cannot_be_written_is_told(tmp_path):
    with pytest.raises(UsageError, match=r"none of \.svg, \.png, \.html"):
        check_target(Path("curve.pdf"), force=True)
    with pytest.raises(UsageError, match="none of"):
        check_target(Path("curve"), force=True)
    (tmp_path / "dir.svg").mkdir()
    with pytest.raises(UsageError, match="is a directory"):
        check_target(tmp_path / "dir.svg", force=True)
    with pytest.raises(StorageError, match="no such file or directory") as missing:
        write_charts(tmp_path / "no" / "curve.svg", [CHART])
    assert missing.value.hint == f"mkdir -p '{tmp_path / 'no'}'"
    with pytest.raises(StorageError, match="cannot write"):
        write_charts(Path("/dev/full/curve.svg"), [CHART])


def test_curves_are_read_in_the_order_asked_and_a_run_without_the_metric_is_told(repo):
    first, second = record("first", loss=[1.0, 0.5]), record("second", acc=[0.9])
    project = Project.open(repo)
    runs = find_runs(project, ["second", first[:8], "first"])
    assert [run.id for run in runs] == [second, first]
    drawing = draw(runs, ["loss", "acc", "loss"], View())
    assert [chart.title for chart in drawing.charts] == ["loss", "acc"]
    assert [curve.label for curve in drawing.charts[0].curves] == ["first"]
    assert drawing.left_out == ("run 'second' has no metric 'loss'", "run 'first' has no metric 'acc'")
    assert default_metrics(project, runs) == ["loss", "acc"], "curves before single numbers"
    with pytest.raises(NotFoundError, match="none of 2 runs has a metric 'los'"):
        draw(runs, ["los"], View())
    with pytest.raises(InvalidValueError):
        draw(runs, ["loss"], View(smoothing=1.0))


def test_metrics_that_belong_together_are_chosen_together():
    points = {"loss": 9, "size_kb": 1, "val/acc": 9, "val/loss": 9, "wobble": 9, "system/cpu": 9}
    assert telling_first(points) == ["loss", "val/loss", "val/acc", "wobble", "size_kb"]
    assert telling_first(points, ["wobble", "none"])[:2] == ["wobble", "loss"]
    assert telling_first({"train/f1": 2, "val/f1": 2, "acc": 2}) == ["train/f1", "val/f1", "acc"]


def test_patterns_name_metrics_and_names_mean_themselves():
    points = {"loss": 9, "val/acc": 9, "val/loss": 9, "system/cpu": 9, "a*": 1, "ab": 1}
    assert named_by(["val/*"], points) == ["val/loss", "val/acc"]
    assert named_by(["val/loss", "*loss"], points) == ["val/loss", "loss"]
    assert named_by(["a*", "nope", "nope/*"], points) == ["a*", "nope", "nope/*"]
    assert "system/cpu" not in named_by(["*"], points)
    assert named_by(["system/*"], points) == ["system/cpu"]


def test_a_clock_has_no_logarithmic_axis(repo):
    run = gittrack.get_run(record("a", loss=[1.0, 0.5]))
    with pytest.raises(UsageError) as refused:
        draw([run], ["loss"], View(by="time", log_x=True))
    assert refused.value.hint == "--by relative --log-x"


def test_letters_that_no_font_has_are_told_and_drawn_where_one_has_them(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    from matplotlib import font_manager
    from matplotlib.ft2font import FT2Font

    every = font_manager.fontManager.ttflist
    usual = FT2Font(font_manager.findfont("DejaVu Sans"))
    other = next(font for font in every if font.name == "STIXGeneral" and font.style == "normal")
    char = next(chr(code) for code in sorted(FT2Font(other.fname).get_charmap())
                if not usual.get_char_index(code) and chr(code).isalpha())  # fmt: skip
    chart = Chart(f"{char}{char} loss", (Curve("a", "1" * 32, [0, 1], [1.0, 2.0]),))
    assert write_charts(tmp_path / "there.png", [chart]) == ()
    monkeypatch.setattr(font_manager.fontManager, "ttflist", [font for font in every if font.name == "DejaVu Sans"])
    (told,) = write_charts(tmp_path / "boxes.png", [chart])
    assert told == f"no installed font has {char}: boxes in the PNG; -o boxes.svg has the letters"
    assert (tmp_path / "there.png").read_bytes() != (tmp_path / "boxes.png").read_bytes()


def test_a_run_without_any_metric_is_told(repo):
    record("bare")
    project = Project.open(repo)
    with pytest.raises(NotFoundError, match="run 'bare' has no metrics"):
        default_metrics(project, find_runs(project, ["bare"]))


def test_one_damaged_run_hides_no_other(repo, git):
    bad, good = record("bad", loss=[1.0, 0.5]), record("good", loss=[2.0, 1.0])
    commit = str(gittrack.get_run(bad).commit)
    blob = git("rev-parse", f"{commit}:metrics/loss.csv").strip()
    path = repo / ".git" / "objects" / blob[:2] / blob[2:]
    path.chmod(0o644)
    path.write_bytes(b"damaged")
    project = Project.open(repo)
    drawing = draw(find_runs(project, [bad, good]), ["loss"], View())
    assert [curve.label for curve in drawing.charts[0].curves] == ["good"]
    assert len(drawing.left_out) == 1
    assert "'loss' of run 'bad' cannot be read" in drawing.left_out[0]


def test_times_are_seconds_since_each_run_began(repo):
    run = gittrack.get_run(record("a", loss=[1.0, 0.5]))
    (curve,) = draw([run], ["loss"], View(by="relative")).charts[0].curves
    assert all(0 <= x < 60 for x in curve.xs)
    (curve,) = draw([run], ["loss"], View(by="time", smoothing=0.5)).charts[0].curves
    assert all(x >= run.record.start_time for x in curve.xs)
    assert list(curve.raw) == [1.0, 0.5]
    assert list(curve.ys) == pytest.approx([1.0, 2 / 3])


def test_runs_in_progress_are_read_from_their_folders_and_nothing_is_written(repo):
    record("finished", loss=[1.0])
    project = Project.open(repo)
    live = LiveRuns(project)
    assert live.read().runs == ()
    with gittrack.start_run(name="live") as run:
        run.log_metric("loss", 1.0)
        before = _snapshot(repo / ".git")
        assert [each.name for each in live.read().runs] == ["live"]
        run.log_metric("loss", 0.5)
        (found,) = live.read().runs
        assert found.metrics == {"loss": 0.5}
        assert not has_ended(live.one(run.id))
        assert _snapshot(repo / ".git") == before
    assert live.read().runs == ()
    assert has_ended(live.one(run.id))


def _snapshot(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_size for path in folder.rglob("*")}


def test_a_live_run_that_cannot_be_read_hides_no_other(repo):
    project = Project.open(repo)
    broken = project.layout.live_run("f" * 32)
    with gittrack.start_run(name="live"):
        broken.mkdir(parents=True)
        (broken / "0.journal").write_bytes(b"nothing of ours")
        listing = LiveRuns(project).read()
        assert [run.name for run in listing.runs] == ["live"]
        assert [problem.where for problem in listing.problems] == [f"live run {'f' * 32}"]
