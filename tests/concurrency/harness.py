"""Real processes to kill, and what must be true of a repository afterwards."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

PROJECT_ROOT = Path(__file__).resolve().parents[2]

FORKS = """
import json, os, sys, time, traceback
import gittrack, gittrack.api.start, gittrack.api.maintain, gittrack.store.rollup, gittrack.capture.environment
import gittrack.store.publish, gittrack.api.annotate, pygit2
for module in sys.argv[1:]:
    __import__(module)

def fork(task):
    pid = os.fork()
    if pid == 0:
        if task.get("kills"):
            os.setsid()
        ack = os.open(task["ack"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        code = 1
        try:
            exec(task["script"], {"say": lambda text: os.write(ack, f"{text}\\n".encode()), "task": task})
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return pid

for line in sys.stdin:
    task = json.loads(line)
    pids = [fork(task | {"number": n}) for n in range(task["count"])]
    if task["delay"] is not None:
        time.sleep(task["delay"])
        for pid in pids:
            try:
                os.killpg(pid, 9) if task.get("kills") == "all" else os.kill(pid, 9)
            except ProcessLookupError:
                os.kill(pid, 9)  # it has not become the first of its group yet
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    for pid in pids if task.get("kills") else ():
        try:
            while True:
                os.killpg(pid, 0)
                time.sleep(0.001)
        except ProcessLookupError:
            pass
    print(json.dumps(codes), flush=True)
"""


class Forks:
    """A process that has gittrack loaded and forks a fresh process per task: many real processes, cheaply.

    Args:
        root: the working directory of all.
        env: their environment.
        modules: loaded once, before the first fork.
    """

    def __init__(self, root: Path, env: dict[str, str], *modules: str) -> None:
        self._acks = Path(tempfile.mkdtemp(prefix="acks-", dir=root.parent))
        with open(self._acks / "stderr", "ab") as messages:
            self._process = subprocess.Popen(
                [sys.executable, "-c", FORKS, *modules],
                cwd=root,
                env=env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=messages,
                text=True,
            )
        self._tasks = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        assert self._process.wait(30) == 0
        self._process.stdout.close()

    def run(
        self, script: str, *, count: int = 1, kill_after: float | None = None, **task: Any
    ) -> tuple[list[int], list[str]]:
        """Run a script in ``count`` processes at once, killing all after ``kill_after`` seconds if that is given.

        The script calls ``say(text)`` for what has happened for sure; ``task["number"]`` tells its processes apart.
        With ``kills="all"`` what they started is killed with them, with ``kills="one"`` its end is waited for.

        Returns:
            Exit codes (-9: killed) and the lines that were said.
        """
        self.begin(script, count=count, kill_after=kill_after, **task)
        return self.end()

    def begin(self, script: str, *, count: int = 1, kill_after: float | None = None, **task: Any) -> None:
        """As :meth:`run`, without waiting."""
        assert self._process.stdin is not None
        self._tasks += 1
        self._ack = self._acks / str(self._tasks)
        self._ack.touch()
        asked = {**task, "script": script, "count": count, "delay": kill_after, "ack": str(self._ack)}
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()

    def end(self) -> tuple[list[int], list[str]]:
        """Wait for what :meth:`begin` began."""
        assert self._process.stdout is not None
        codes = json.loads(self._process.stdout.readline())
        return codes, self._ack.read_text().splitlines()

    def messages(self) -> str:
        """What all of them wrote to stderr so far."""
        return (self._acks / "stderr").read_text()


def python(script: str, cwd: Path, env: dict[str, str], *args: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a script in a fresh Python to its end; the exit code is the caller's to check."""
    return subprocess.run(
        [sys.executable, "-c", script, *args],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        **options,
    )


def new_seed() -> int:
    """A seed that is new each time; printed, so that pytest shows it with a failure and it can be had again."""
    seed = time.time_ns()
    print(f"seed={seed}")
    return seed


def wait_for(path: Path, text: str, seconds: float = 120) -> None:
    """Wait until a file holds a text."""
    end = time.monotonic() + seconds
    while text not in (path.read_text() if path.exists() else ""):
        assert time.monotonic() < end, f"'{text}' was not said in {seconds} s"
        time.sleep(0.005)


def age_locks(root: Path) -> None:
    """Make what killed processes left old enough for doctor, locks on our refs and runs that were just beginning."""
    long_ago = time.time() - 3600
    git_dir = root / ".git"
    left = [*git_dir.glob("refs/runs*/**/*.lock"), *git_dir.glob("packed-refs.lock")]
    left += (git_dir / "gittrack" / "live").glob(".new-*")
    for path in left:  # young ones may be in use
        os.utime(path, (long_ago, long_ago))


def _git(root: Path, *args: str) -> str:
    done = subprocess.run(["git", *args], cwd=root, capture_output=True, check=False)
    assert done.returncode == 0, f"git {' '.join(args)}: {done.stderr.decode()}"
    return done.stdout.decode("utf-8", "surrogateescape")


def user_state(root: Path) -> dict[str, str]:
    """Everything of a repository that is the user's: index, HEAD, refs, stash, files, status."""
    git_dir = Path(_git(root, "rev-parse", "--absolute-git-dir").strip())
    state = {}
    for name in ("index", "HEAD", "FETCH_HEAD", "ORIG_HEAD", "config", "logs/HEAD"):
        file = git_dir / name
        if file.exists():
            state[name] = f"{hashlib.sha256(file.read_bytes()).hexdigest()} {file.stat().st_mtime_ns}"
    refs = _git(root, "for-each-ref", "refs/heads", "refs/tags", "refs/remotes", "refs/stash")
    state["refs"] = refs
    state["status"] = _git(root, "--no-optional-locks", "status", "--porcelain=v2", "-z", "--untracked-files=all")
    for file in sorted(root.rglob("*")):
        inside = file.relative_to(root)
        if inside.parts[0] != ".git" and file.is_file() and not file.is_symlink():
            state[f"file {inside}"] = f"{hashlib.sha256(file.read_bytes()).hexdigest()} {file.stat().st_mtime_ns}"
    return state


def assert_sound(root: Path, *, allowed: Sequence[str] = ()) -> None:
    """Git and gittrack both find the repository whole.

    Args:
        root: the repository.
        allowed: substrings of findings that are meant.
    """
    from gittrack.api.maintain import fsck
    from gittrack.api.project import Project

    said = subprocess.run(["git", "fsck", "--no-dangling"], cwd=root, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr + said.stdout
    found = [f"{finding.where}: {finding.reason}" for finding in fsck(Project.open(root))]
    assert [line for line in found if not any(text in line for text in allowed)] == []


def environment() -> dict[str, str]:
    """The sealed environment for processes that import gittrack from this checkout."""
    return {**os.environ, "PYTHONPATH": str(PROJECT_ROOT)}
