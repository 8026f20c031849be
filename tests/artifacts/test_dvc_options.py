"""What a cloned repository says about DVC remotes runs nothing on the machine of whoever clones it."""

from __future__ import annotations

from pathlib import Path

import pytest
from dvc.config import Config

from gittrack.artifacts.dvc_options import refuse_untrusted
from gittrack.errors import RemoteError


@pytest.fixture
def check(repo: Path, git):
    """``check(options, folder, file, tracked)``: look at a remote named ``a`` that is configured like this."""

    def call(
        options: str,
        folder: str = ".",
        file: str = "config",
        *,
        tracked: bool = False,
        more: str = "",
        url: str = "s3://bucket/x",
    ) -> None:
        dvc = repo / folder / ".dvc"
        dvc.mkdir(parents=True, exist_ok=True)
        (dvc / "config").write_text(f"['remote \"a\"']\n    url = {url}\n{more}")
        text = f"['remote \"a\"']\n    url = {url}\n    {options}\n{more}"
        (dvc / file).write_text(text)
        if tracked:
            git("add", "--force", str(dvc / file), cwd=repo)
        refuse_untrusted(Config(dvc_dir=str(dvc)), dvc, "a")

    return call


HOSTILE = ["configpath = ../aws", "credentialpath = keys.json", "configpath = ./deep/../aws"]


@pytest.mark.parametrize("option", HOSTILE)
def test_files_that_git_brought_along_are_not_settings(check, option):
    with pytest.raises(RemoteError, match="could run commands") as caught:
        check(option)
    assert caught.value.hint.startswith("dvc remote modify --local a ")


def test_a_project_in_a_subdirectory_does_not_reach_up_into_the_repository(check):
    with pytest.raises(RemoteError, match="could run commands"):
        check("configpath = ../../../aws", "pkg/a")


def test_a_local_configuration_that_git_tracks_is_as_little_trusted(check):
    check("configpath = ../aws", file="config.local")
    with pytest.raises(RemoteError, match=r"'\.dvc/config\.local' sets configpath"):
        check("configpath = ../aws", file="config.local", tracked=True)


def test_what_a_remote_refers_to_is_looked_at_too(check):
    other = "['remote \"B\"']\n    url = s3://bucket/y\n    configpath = ../aws\n"
    with pytest.raises(RemoteError, match="of remote 'b'"):
        check("", url="remote://B/x", more=other)
    check("region = eu", more=other)


def test_remotes_that_refer_to_each_other_end(check):
    with pytest.raises(RemoteError, match="without end"):
        check("", url="remote://b/x", more="['remote \"b\"']\n    url = remote://a/x\n")


def test_a_token_from_a_command_is_refused(check):
    with pytest.raises(RemoteError, match="sets bearer_token_command"):
        check("bearer_token_command = touch owned", url="webdavs://host/x")


def test_files_of_ones_own_and_plain_options_pass(check, tmp_path):
    check(f"configpath = {tmp_path / 'mine.ini'}\n    region = eu\n    endpointurl = http://x\n    ssl_verify = false")
    check("credentialpath = ~/keys.json", "pkg/a")


def test_a_link_out_of_the_repository_does_not_make_a_file_ones_own(check, repo, tmp_path):
    (repo / "aws").write_text("[default]\n")
    (tmp_path / "inside").symlink_to(repo)
    with pytest.raises(RemoteError, match="could run commands"):
        check(f"configpath = {tmp_path / 'inside' / 'aws'}")
