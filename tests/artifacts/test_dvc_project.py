"""What is read of a DVC project's configuration, and what of it may be written down in a run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import gittrack
from gittrack.artifacts.dvc_project import DvcProject, find_dvc_project
from gittrack.errors import CorruptRecordError

SHARED = """\
[core]
    remote = pub
['remote "pub"']
    url = s3://public/x
    endpointurl = https://me:secret@s3.example.com
    access_key_id = AKIA
"""
PRIVATE = """\
['remote "pub"']
    url = s3://private-team/x
    endpointurl = http://secret.host:9000
"""


@pytest.fixture
def read(tmp_path: Path):
    """``read(config, local, of_user)``: the project with these configuration files."""

    def call(config: str = "", local: str = "", of_user: str = "") -> DvcProject:
        folder, user = tmp_path / "repo" / ".dvc", tmp_path / "user"
        for place, name, text in (
            (folder, "config", config),
            (folder, "config.local", local),
            (user, "config", of_user),
        ):
            place.mkdir(parents=True, exist_ok=True)
            (place / name).write_text(text)
        environ = {"HOME": str(tmp_path), "DVC_GLOBAL_CONFIG_DIR": str(user), "DVC_SYSTEM_CONFIG_DIR": "/nowhere"}
        found = find_dvc_project(tmp_path / "repo", tmp_path, environ)
        assert found is not None
        return found

    return call


def test_bytes_go_where_the_local_configuration_says_and_runs_tell_what_everybody_may_know(read):
    project = read(SHARED, PRIVATE)
    assert project.remotes["pub"]["url"] == "s3://private-team/x"
    assert project.public_remote("gittrack") == {
        "url": "s3://public/x/gittrack",
        "endpointurl": "https://s3.example.com",
    }


@pytest.mark.parametrize("level", ["local", "of_user"])
def test_a_remote_that_is_not_in_the_repository_is_not_told(read, level):
    project = read(**{level: SHARED})
    assert project.default == "pub"
    assert project.remotes["pub"]["url"] == "s3://public/x"
    assert project.public_remote("gittrack") == {}


def test_another_default_of_ones_own_is_not_told_either(read):
    project = read(SHARED, "[core]\n    remote = mine\n['remote \"mine\"']\n    url = /mnt/mine\n")
    assert (project.default, project.remotes["mine"]["url"]) == ("mine", "/mnt/mine")
    assert project.public_remote("gittrack")["url"] == "s3://public/x/gittrack"


def test_an_alias_is_followed_within_what_everybody_has(read):
    alias = "[core]\n    remote = sub\n['remote \"sub\"']\n    url = remote://pub/deep\n"
    project = read(SHARED.replace("[core]\n    remote = pub\n", "") + alias, PRIVATE)
    assert project.remotes["sub"]["url"] == "s3://private-team/x/deep"
    assert project.public_remote("gittrack")["url"] == "s3://public/x/deep/gittrack"


@pytest.mark.parametrize("name", ["config", "config.local"])
@pytest.mark.parametrize("kind", ["device", "pipe", "folder", "huge"])
def test_a_configuration_that_is_no_ordinary_file_neither_hangs_nor_fills_memory(tmp_path, name, kind):
    folder = tmp_path / ".dvc"
    folder.mkdir()
    (folder / "config").write_text(SHARED)
    (folder / name).unlink(missing_ok=True)
    match kind:
        case "device":
            (folder / name).symlink_to("/dev/zero")
        case "pipe":
            os.mkfifo(folder / name)
        case "folder":
            (folder / name).mkdir()
        case "huge":
            with (folder / name).open("wb") as file:
                file.truncate(1 << 32)
    with pytest.raises(CorruptRecordError, match=r"no regular file|larger than 1 MiB"):
        find_dvc_project(tmp_path, tmp_path, {"HOME": str(tmp_path)})


def test_training_goes_on_beside_such_a_configuration(repo, capfd):
    (repo / ".dvc").mkdir()
    (repo / ".dvc" / "config").symlink_to("/dev/zero")
    os.mkfifo(repo / ".dvcignore")
    with gittrack.start_run(name="careful") as run:
        run.log_text("x" * 100_000, "large.txt")
        run.log_metric("loss", 1)
    assert gittrack.get_run(run.id).metrics == {"loss": 1}
