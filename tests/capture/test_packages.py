from __future__ import annotations

import importlib.metadata
import json
import os
import re
import sys
import time
from pathlib import Path

from gittrack.capture.packages import InstalledPackages, list_conda_packages


def _metadata(folder: Path, name: str, direct_url: object = None) -> None:
    (folder / name).mkdir(parents=True)
    if direct_url is not None:
        (folder / name / "direct_url.json").write_text(json.dumps(direct_url))


def _listed(*folders: Path, work_tree: Path | None = None) -> list[str]:
    return InstalledPackages().list([str(folder) for folder in folders], work_tree).decode().splitlines()


def test_the_list_agrees_with_importlib_metadata() -> None:
    expected = {}
    for distribution in importlib.metadata.distributions():
        name = re.sub(r"[-_.]+", "-", distribution.metadata["Name"]).lower()
        expected.setdefault(name, distribution.version)
    listed = InstalledPackages().list(sys.path, None).decode().splitlines()
    found = dict(line.partition(" #")[0].split("==") for line in listed)
    assert len(found) > 10
    assert found == expected


def test_names_are_normalised_and_sorted_and_the_first_on_the_path_counts(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for name in ("Zope.Interface-6.0.dist-info", "a_b-1.0+cu118.dist-info", "old-2.0-py3.11.egg-info"):
        _metadata(first, name)
    for name in ("a_b-9.0.dist-info", "foo-2-1.0.dist-info", "x-1.0-py3.11-linux-x86_64.egg", "~b-1.0.dist-info"):
        _metadata(second, name)
    expected = ["a-b==1.0+cu118", "foo-2==1.0", "old==2.0", "x==1.0", "zope-interface==6.0"]
    assert _listed(first, second, tmp_path / "absent") == expected


def test_a_development_install_states_its_version_inside(tmp_path: Path) -> None:
    _metadata(tmp_path, "mine.egg-info")
    (tmp_path / "mine.egg-info" / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 0.3\n")
    _metadata(tmp_path, "bare.egg-info")
    assert _listed(tmp_path) == ["bare", "mine==0.3"]


def test_editable_and_version_control_installs_say_where_they_come_from(tmp_path: Path) -> None:
    tree, site = tmp_path / "tree", tmp_path / "site"
    (tree / "libs").mkdir(parents=True)
    _metadata(site, "a-1.dist-info", {"url": tree.as_uri(), "dir_info": {"editable": True}})
    _metadata(site, "b-1.dist-info", {"url": (tree / "libs").as_uri(), "dir_info": {"editable": True}})
    _metadata(site, "c-1.dist-info", {"url": "https://me:hunter2@h/c", "vcs_info": {"vcs": "git", "commit_id": "ab"}})
    _metadata(site, "d-1.dist-info", {"url": "https://h/d.whl?sig=hunter2", "archive_info": {}})
    _metadata(site, "e-1.dist-info", {"url": "file:///elsewhere", "dir_info": {"editable": True}})
    _metadata(site, "f-1.dist-info", ["not", "an", "object"])
    _metadata(site, "g-1.dist-info", {"url": "https://h/x\nevil==1.0", "dir_info": {}})
    assert _listed(site, work_tree=tree) == [
        "a==1 # editable .",
        "b==1 # editable libs",
        "c==1 # git+https://h/c@ab",
        "d==1 # https://h/d.whl",
        "e==1 # editable file:///elsewhere",
        "f==1 # from an unreadable address",
        "g==1 # https://h/x evil==1.0",
    ]


def test_names_that_are_no_packages_cannot_forge_a_line(tmp_path: Path) -> None:
    for name in ("evil\nnumpy-1.0.dist-info", "a b-1.0.dist-info", "-1.0.dist-info", "x-1.0\n.dist-info"):
        _metadata(tmp_path, name)
    assert _listed(tmp_path) == []


def test_a_package_installed_between_two_calls_is_seen(tmp_path: Path) -> None:
    packages = InstalledPackages()
    _metadata(tmp_path, "a-1.dist-info")
    os.utime(tmp_path, (1, 1))  # so long ago that it is remembered
    assert packages.list([str(tmp_path)], None) == b"a==1\n"
    _metadata(tmp_path, "b-1.dist-info")
    assert packages.list([str(tmp_path)], None) == b"a==1\nb==1\n"


def test_a_package_installed_within_one_tick_of_a_coarse_clock_is_seen(tmp_path: Path) -> None:
    packages, tick = InstalledPackages(), time.time_ns()
    _metadata(tmp_path, "a-1.dist-info")
    os.utime(tmp_path, ns=(tick, tick))
    assert packages.list([str(tmp_path)], None) == b"a==1\n"
    _metadata(tmp_path, "b-1.dist-info")
    os.utime(tmp_path, ns=(tick, tick))
    assert packages.list([str(tmp_path)], None) == b"a==1\nb==1\n"


def test_an_unchanged_folder_is_not_read_again(tmp_path: Path) -> None:
    packages = InstalledPackages()
    _metadata(tmp_path, "a-1.dist-info")
    os.utime(tmp_path, (1, 1))
    before = packages.list([str(tmp_path)], None)
    _metadata(tmp_path, "b-1.dist-info")
    os.utime(tmp_path, (1, 1))  # as if nothing had happened
    assert packages.list([str(tmp_path)], None) == before


def test_a_folder_too_big_to_read_is_said_to_be_incomplete(tmp_path: Path) -> None:
    for number in range(20_001):
        os.mknod(tmp_path / str(number))
    assert _listed(tmp_path) == ["# incomplete: a folder of the import path has more than 20000 entries"]


def test_conda_packages_are_listed_with_their_build(tmp_path: Path) -> None:
    (tmp_path / "conda-meta").mkdir()
    for name in ("numpy-1.26.4-py311h64a7726_0.json", "ca-certificates-2024.2.2-hbcca054_0.json", "history"):
        (tmp_path / "conda-meta" / name).write_text("{}")
    expected = b"ca-certificates=2024.2.2=hbcca054_0\nnumpy=1.26.4=py311h64a7726_0\n"
    assert list_conda_packages(str(tmp_path)) == expected
    assert list_conda_packages(str(tmp_path / "absent")) == b""
