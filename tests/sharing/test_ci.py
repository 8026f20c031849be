"""Throw-away checkouts as CI services make them: the two documented lines, no history, the run whole elsewhere."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest

from gittrack.api.project import Project
from gittrack.git.repository import Repository

from .conftest import Person
from .transports import PASSWORD, USER, http_server

COMMITS = 40
GITHUB = {"CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_REF": "refs/heads/main", "GITHUB_RUN_ID": "7"}
GITLAB = {"CI": "true", "GITLAB_CI": "true", "CI_COMMIT_BRANCH": "main", "CI_JOB_ID": "7"}


@pytest.fixture
def served(people, remote, git, monkeypatch):
    """A remote over http whose code has a history; ann has shared a run of its first commit."""
    monkeypatch.setenv("GIT_ALLOW_PROTOCOL", "file:http")
    ann = people("ann")
    ann.git("-C", str(remote), "config", "http.receivepack", "true")
    ann.run("early")
    commits = "".join(
        f"commit refs/heads/main\ncommitter Ann <ann@example.com> {1_700_000_000 + number} +0000\n"
        f"data <<E\nchange {number}\nE\n{'from refs/heads/main^0' if number == 0 else ''}\n"
        f"M 100644 inline train.py\ndata <<E\nprint({number})\nE\n"
        for number in range(COMMITS)
    )
    git("fast-import", "--quiet", cwd=ann.folder, stdin=commits)
    ann.git("reset", "-q", "--hard")
    ann.git("push", "-q", "origin", "main")
    ann.push()
    with http_server(remote.parent) as url:
        yield ann, url + "/remote.git"


def as_actions_checkout(ann: Person, url: str, folder: Path) -> Person:
    """What actions/checkout does: one commit fetched by its id, HEAD detached, the token in a header."""
    job = Person(folder, "job")
    folder.mkdir()
    header = "AUTHORIZATION: Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    commit = ann.git("rev-parse", "main")
    job.git("init", "-q")
    job.git("remote", "add", "origin", url)
    job.git("config", "--local", f"http.{url.rsplit('/', 1)[0]}/.extraheader", header)
    spec = f"+{commit}:refs/remotes/pull/1/merge"
    job.git("-c", "protocol.version=2", "fetch", "-q", "--no-tags", "--prune", "--depth=1", "origin", spec)
    job.git("checkout", "-q", "--force", "refs/remotes/pull/1/merge")
    return job


def as_gitlab_runner(ann: Person, url: str, folder: Path) -> Person:
    """What GitLab's runner does with GIT_DEPTH=20: the token in the URL, HEAD detached."""
    job = Person(folder, "job")
    folder.mkdir()
    job.git("init", "-q")
    job.git("remote", "add", "origin", url.replace("//", f"//{USER}:{PASSWORD}@"))
    spec = "+refs/heads/main:refs/remotes/origin/main"
    job.git("fetch", "-q", "--prune", "--no-tags", "--depth", "20", "origin", spec)
    job.git("checkout", "-q", "-f", ann.git("rev-parse", "main"))
    return job


@pytest.mark.parametrize(
    ("made", "environ", "depth"), [(as_actions_checkout, GITHUB, 1), (as_gitlab_runner, GITLAB, 20)]
)
def test_two_lines_fetch_run_and_push_from_a_throw_away_clone(
    served, people, tmp_path, gittrack_cli, made, environ, depth
):
    ann, url = served
    job = made(ann, url, tmp_path / "job")
    env = {**environ, "GIT_ALLOW_PROTOCOL": "file:http", "EMAIL": "job@example.com"}
    before = objects(job)
    assert commits_of_code(job) == depth
    for line in documented():
        words = [word for word in line.split() if word != "--"]
        at = words.index("python") if "python" in words else len(words)
        done = gittrack_cli(*line.split()[1:], cwd=job.folder, env=env)
        assert done.returncode == 0, (words[:at], done.stderr)
    assert commits_of_code(job) == depth, "no history came along"
    assert objects(job) - before < 40, "one run, one ledger"
    assert [name for name in job.refs() if not name.endswith("/ci")] == []
    found = ann.fetch()
    assert (found.runs, found.refused) == (1, ())
    (run,) = [run for run in runs_of(ann) if run.name != "early"]
    assert run.record.status.value == "finished"
    objects_here = Repository.discover(ann.folder).objects
    assert not objects_here.missing(objects_here.all_objects_of(run.commit))
    assert ann.git("rev-parse", f"{run.commit}^") == ann.git("rev-parse", "main")
    assert PASSWORD not in done.stderr


def test_a_fetch_in_a_shallow_clone_brings_no_history(served, tmp_path, gittrack_cli):
    ann, url = served
    job = as_actions_checkout(ann, url, tmp_path / "job")
    env = {**GITHUB, "GIT_ALLOW_PROTOCOL": "file:http"}
    before = objects(job)
    for _ in range(2):
        assert gittrack_cli("fetch", cwd=job.folder, env=env).returncode == 0
        assert commits_of_code(job) == 1
        assert objects(job) - before < 5, "the ledger's last commit alone"


def test_two_jobs_at_once_both_end_in_the_ledger_of_ci(served, tmp_path, gittrack_cli):
    ann, url = served
    env = {**GITHUB, "GIT_ALLOW_PROTOCOL": "file:http"}
    jobs = [as_actions_checkout(ann, url, tmp_path / f"job-{number}") for number in range(2)]
    for job in jobs:
        assert gittrack_cli("fetch", cwd=job.folder, env=env).returncode == 0
        assert gittrack_cli("run", "--", "true", cwd=job.folder, env=env).returncode == 0
    for job in jobs:
        done = gittrack_cli("push", "--yes", cwd=job.folder, env=env)
        assert done.returncode == 0, done.stderr
        assert commits_of_code(job) == 1
    assert ann.fetch().runs == 2
    assert sum(name.endswith("/ci") for name in ann.refs()) == 1


def documented() -> list[str]:
    """The commands of the first workflow in docs/how-to/ci.md."""
    text = (Path(__file__).parents[2] / "docs" / "how-to" / "ci.md").read_text()
    lines = re.findall(r"^ *- run: (gittrack .*)$", text, re.MULTILINE)
    assert [line.split()[1] for line in lines[:2]] == ["run", "push"]
    return lines[:2]


def objects(job: Person) -> int:
    counted = dict(line.split(": ") for line in job.git("count-objects", "-v").splitlines())
    return int(counted["count"]) + int(counted["in-pack"])


def commits_of_code(job: Person) -> int:
    """How many commits of the code are here, whatever reaches them."""
    listed = job.git("cat-file", "--batch-all-objects", "--batch-check=%(objecttype) %(objectname)").splitlines()
    ids = [line.split()[1] for line in listed if line.startswith("commit ")]
    subjects = job.git("log", "--no-walk", "--format=%s", *ids).splitlines()
    return sum(subject.startswith("change") for subject in subjects)


def runs_of(person: Person):
    from gittrack.api.read import list_runs

    with person.here():
        return list_runs(Project.open(person.folder)).runs
