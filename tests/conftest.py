"""What every test stands on: a world of its own, real git, and nothing left behind.

``hermetic_seal`` runs around every test. The other fixtures are asked for by name.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import hypothesis
import pygit2
import pytest
from pygit2.enums import ConfigLevel

PROJECT_ROOT = Path(__file__).resolve().parent.parent

# A slow shared machine is no failure. In CI the same examples every time; at a desk new ones every time.
hypothesis.settings.register_profile("gittrack", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("gittrack")

GIT_CONFIG = """\
[user]
\tname = Test User
\temail = test@example.com
[init]
\tdefaultBranch = main
[commit]
\tgpgsign = false
[tag]
\tgpgsign = false
[gc]
\tauto = 0
[maintenance]
\tauto = false
"""

SEALED_PREFIXES = (
    *("GIT_", "GITTRACK_", "SLURM_", "OMPI_", "PMI_", "PMIX_", "TORCHELASTIC_", "DVC_", "MLFLOW_", "WANDB_"),
    *("GITHUB_", "GITLAB_", "CI_", "BUILDKITE", "JENKINS_", "CIRCLE", "TRAVIS", "BITBUCKET_", "TEAMCITY_", "TF_BUILD"),
    *("XDG_", "LC_", "KUBERNETES_", "SINGULARITY_", "APPTAINER_", "CONDA_", "CUDA_", "COLAB_", "AWS_"),
)
SEALED_NAMES = frozenset(
    {
        *("CI", "RANK", "LOCAL_RANK", "WORLD_SIZE", "GROUP_RANK", "NODE_RANK", "BUILD_ID", "BUILD_URL", "JOB_NAME"),
        *("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "LINES", "PAGER", "LESS"),
        *("EDITOR", "VISUAL", "EMAIL", "LANG", "LANGUAGE", "TZ", "container", "SOURCE_DATE_EPOCH", "SSH_ASKPASS"),
        *("BROWSER", "PYTHONHASHSEED", "PYTHONSTARTUP", "PYTHONUNBUFFERED"),
    }
)

Git = Callable[..., str]
GittrackCli = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(autouse=True)
def hermetic_seal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Own home, own git configuration, no network, no trace of the caller's environment; cwd is ``tmp_path``."""
    home = tmp_path.with_name(tmp_path.name + "-home")
    home.mkdir()
    config = home / ".gitconfig"
    config.write_text(GIT_CONFIG, encoding="utf-8")
    _seal_environment(home, config, monkeypatch)
    _seal_libgit2(home)
    time.tzset()
    monkeypatch.chdir(tmp_path)
    yield
    _end_active_runs()
    monkeypatch.undo()
    time.tzset()


def _seal_environment(home: Path, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name in SEALED_NAMES or name.startswith(SEALED_PREFIXES):
            monkeypatch.delenv(name)
    sealed = {
        "HOME": str(home),
        "USERPROFILE": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "XDG_DATA_HOME": str(home / ".local" / "share"),
        "XDG_STATE_HOME": str(home / ".local" / "state"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": str(config),
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": "file",
        "GIT_EDITOR": "false",
        "GIT_PAGER": "cat",
        "DVC_NO_ANALYTICS": "1",
        "GITTRACK_INBOX_LIMIT": "0",  # no process in the background that a test does not ask for
        "TZ": "UTC",
        "LC_ALL": "C.UTF-8",
    }
    for name, value in sealed.items():
        monkeypatch.setenv(name, value)


def _seal_libgit2(home: Path) -> None:
    # libgit2 reads the home directory once, when it is loaded, and knows nothing of GIT_CONFIG_GLOBAL.
    nowhere = home / "no-such-directory"
    pygit2.settings.search_path[ConfigLevel.PROGRAMDATA] = str(nowhere)
    pygit2.settings.search_path[ConfigLevel.SYSTEM] = str(nowhere)
    pygit2.settings.search_path[ConfigLevel.XDG] = str(home / ".config" / "git")
    pygit2.settings.search_path[ConfigLevel.GLOBAL] = str(home)


def _end_active_runs() -> None:
    fluent = sys.modules.get("gittrack.api.fluent")
    if fluent is None:
        return
    for _ in range(16):  # runs nest; no test nests deeper than this
        if fluent.active_run() is None:
            return
        fluent.end_run()
    pytest.fail("a run stays active however often end_run() is called")


@pytest.fixture
def git(hermetic_seal: None) -> Git:
    """``git(*arguments, cwd=None, env=None, stdin=None) -> str``: runs real git; its output, unstripped.

    ``env`` is added to the sealed environment. A git that fails fails the test, with what it said.
    """

    def run(*arguments: str, cwd: Path | None = None, env: Mapping[str, str] | None = None, stdin: str = "") -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=cwd,
            env={**os.environ, **(env or {})},
            input=stdin,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )
        if done.returncode:
            pytest.fail(f"git {' '.join(arguments)} ended with {done.returncode}: {done.stderr}")
        return done.stdout

    return run


@pytest.fixture
def repo(tmp_path: Path, git: Git, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh repository with one commit of ``train.py``; the current directory is its root."""
    root = tmp_path / "repo"
    git("init", "--quiet", "--template=", str(root))
    (root / "train.py").write_text('print("training")\n', encoding="utf-8")
    git("add", "train.py", cwd=root)
    git("commit", "--quiet", "--message=first", cwd=root)
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def project_env(hermetic_seal: None) -> dict[str, str]:
    """The sealed environment for a subprocess that imports gittrack from this checkout."""
    return {**os.environ, "PYTHONPATH": str(PROJECT_ROOT)}


@pytest.fixture
def gittrack_cli(project_env: dict[str, str]) -> GittrackCli:
    """``gittrack_cli(*arguments, cwd=None, env=None, stdin="") -> CompletedProcess[str]``: the real command.

    The exit code is not checked: that is the test's business.
    """

    def run(
        *arguments: str, cwd: Path | None = None, env: Mapping[str, str] | None = None, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "gittrack", *arguments],
            cwd=cwd,
            env={**project_env, **(env or {})},
            input=stdin,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )

    return run
