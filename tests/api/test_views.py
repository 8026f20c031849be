"""Saved views in a work tree: written, listed, removed; links and devices among them are harmless."""

from __future__ import annotations

import os

import pytest

from gittrack.api.project import Project
from gittrack.api.views import list_views, read_view, remove_view, save_view
from gittrack.core.view import View
from gittrack.errors import ConflictError, InvalidNameError, NotFoundError, StorageError, UsageError

BEST = View("best", "metrics.acc > 0.9", ("name", "params.lr"), ("-metrics.acc",), 20, "What we would ship")


@pytest.fixture
def project(repo) -> Project:
    return Project.open(repo)


@pytest.fixture
def folder(repo):
    folder = repo / ".gittrack" / "views"
    folder.mkdir(parents=True)
    return folder


def test_a_view_is_a_file_that_git_is_not_told_of(project, repo, git):
    assert save_view(project, BEST) == ".gittrack/views/best.toml"
    assert read_view(project, "best") == BEST
    assert list_views(project) == ([BEST], [])
    assert git("status", "--porcelain", "-uall") == "?? .gittrack/views/best.toml\n"
    assert os.listdir(repo / ".gittrack" / "views") == ["best.toml"]


def test_a_view_is_replaced_only_when_asked_for(project, repo):
    save_view(project, BEST)
    other = View("best", "dirty")
    with pytest.raises(ConflictError) as raised:
        save_view(project, other)
    assert "--force" in str(raised.value.hint)
    assert read_view(project, "best") == BEST
    save_view(project, other, replace=True)
    assert read_view(project, "best") == other
    assert os.listdir(repo / ".gittrack" / "views") == ["best.toml"]


def test_a_view_that_means_nothing_is_not_written(project, repo):
    for view in (View("a", "metrics.acc >"), View("a", sort=("inputs.path",)), View("a", number=0)):
        with pytest.raises(UsageError):
            save_view(project, view)
    with pytest.raises(InvalidNameError):
        save_view(project, View("../../a"))
    assert not (repo / ".gittrack").exists()


def test_a_view_that_is_not_there_is_answered_with_a_near_one(project):
    save_view(project, BEST)
    for call in (read_view, remove_view):
        with pytest.raises(NotFoundError) as raised:
            call(project, "bset")
        assert raised.value.hint == "gittrack ls @best"


def test_without_a_folder_there_are_no_views(project):
    assert list_views(project) == ([], [])
    with pytest.raises(NotFoundError):
        read_view(project, "best")


def test_a_removed_view_is_gone(project, repo):
    save_view(project, BEST)
    assert remove_view(project, "best") == ".gittrack/views/best.toml"
    assert list_views(project) == ([], [])


def test_from_a_folder_within_the_work_tree_the_same_views_are_found(project, repo):
    save_view(project, BEST)
    (repo / "deep").mkdir()
    assert read_view(Project.open(repo / "deep"), "best") == BEST


def test_links_pipes_and_folders_are_no_views_and_hide_no_other(project, folder, tmp_path):
    save_view(project, BEST)
    (tmp_path / "outside.toml").write_text('description = "secret"')
    (folder / "link.toml").symlink_to(tmp_path / "outside.toml")
    (folder / "device.toml").symlink_to("/dev/zero")
    os.mkfifo(folder / "pipe.toml")
    (folder / "folder.toml").mkdir()
    (folder / "bad name.toml").write_text("")
    (folder / "damaged.toml").write_bytes(b"\xff")
    (folder / "large.toml").write_bytes(b"#" * (1 << 20))
    (folder / "README.md").write_text("not looked at")
    views, broken = list_views(project)
    assert views == [BEST]
    assert [os.path.basename(each.path) for each in broken] == [
        *("bad name.toml", "damaged.toml", "device.toml", "folder.toml", "large.toml", "link.toml", "pipe.toml"),
    ]
    assert all(each.reason and each.hint and "secret" not in each.reason for each in broken)
    for name in ("link", "device", "pipe", "folder"):
        with pytest.raises(UsageError):
            read_view(project, name)


def test_of_very_many_files_only_some_are_read_and_that_is_said(project, folder, monkeypatch):
    monkeypatch.setattr("gittrack.api.views._MOST_VIEWS", 2)
    for name in "abcd":
        (folder / f"{name}.toml").write_text("number = 3")
    views, (told,) = list_views(project)
    assert [view.name for view in views] == ["a", "b"]
    assert (told.path, told.reason) == (".gittrack/views", "2 more files are there than are looked at")
    assert read_view(project, "d").number == 3


def test_names_of_files_cannot_harm_a_terminal(project, folder):
    (folder / "\x1b[2J.toml").write_text("")
    (each,) = list_views(project)[1]
    assert "\x1b" not in each.path + each.reason + each.hint


@pytest.mark.parametrize("linked", [".gittrack", ".gittrack/views"])
def test_nothing_is_written_or_removed_behind_a_link(project, repo, tmp_path, linked):
    outside = tmp_path / "outside"
    (outside / "views").mkdir(parents=True)
    for place in (outside, outside / "views"):
        (place / "best.toml").write_text("")
    (repo / linked).parent.mkdir(exist_ok=True)
    (repo / linked).symlink_to(outside, target_is_directory=True)
    for call in (
        lambda: save_view(project, View("new")),
        lambda: save_view(project, BEST, replace=True),
        lambda: remove_view(project, "best"),
        lambda: read_view(project, "best"),
        lambda: list_views(project),
    ):
        with pytest.raises(UsageError, match="is no folder"):
            call()
    assert sorted(path.name for path in outside.rglob("*")) == ["best.toml", "best.toml", "views"]


def test_a_view_that_is_a_link_is_replaced_itself_and_not_what_it_leads_to(project, folder, tmp_path):
    outside = tmp_path / "outside.toml"
    outside.write_text("mine")
    (folder / "best.toml").symlink_to(outside)
    with pytest.raises(ConflictError):
        save_view(project, BEST)
    save_view(project, BEST, replace=True)
    assert outside.read_text() == "mine"
    assert read_view(project, "best") == BEST


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_said(project, folder):
    folder.chmod(0o500)
    with pytest.raises(StorageError, match="cannot write"):
        save_view(project, BEST)


def test_a_repository_without_a_work_tree_has_no_views(tmp_path, git):
    git("init", "-q", "--bare", str(tmp_path / "bare"))
    project = Project.open(tmp_path / "bare")
    assert list_views(project) == ([], [])
    with pytest.raises(UsageError, match="no work tree"):
        save_view(project, BEST)
