"""DVC itself, run as its users run it, and projects of every shape for it to read runs in."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import gittrack
from gittrack.api.artifact_transfer import push_bytes
from gittrack.api.project import Project

SEVERAL = """
import json, os, sys, tempfile
from dvc.cli import main
from gittrack.api.gc import relink
from gittrack.api.project import Project
answers = []
real = os.dup(1)
for words in json.loads(sys.argv[1]):
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        if words == ["RELINK"]:
            print(sum(len(names) for _, _, names in os.walk(".dvc/cache/files")))
            print(relink(Project.open()))
            code = 0
        else:
            code = main(words)
        sys.stdout.flush(), sys.stderr.flush()
        out.seek(0), err.seek(0)
        answers.append([code, out.read().decode(), err.read().decode()])
os.write(real, json.dumps(answers).encode())
os._exit(0)
"""


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str


def environment(home: Path | None = None) -> dict[str, str]:
    """Of a DVC command; with a home of its own, that of somebody who has nothing."""
    added = {"DVC_NO_ANALYTICS": "1", "CI": "true", "PYTHONPATH": str(Path(gittrack.__file__).parent.parent)}
    # What DVC remembers of repositories lies in one place for the whole machine otherwise.
    added["DVC_SITE_CACHE_DIR"] = str((home or Path(os.environ["HOME"])) / "dvc")
    if home is not None:
        home.mkdir(exist_ok=True)
        added |= {"HOME": str(home), "GIT_CONFIG_GLOBAL": str(home / "none"), "GIT_ALLOW_PROTOCOL": "file:http"}
        added |= {"XDG_CONFIG_HOME": str(home / "config"), "XDG_CACHE_HOME": str(home / "cache")}
    return {**os.environ, **added}


def dvc(*words: str, cwd: Path, home: Path | None = None, fails: bool = False) -> str:
    """``python -m dvc``; its output, or what it complained about when it must fail."""
    command = [sys.executable, "-m", "dvc", *words]
    done = subprocess.run(
        command, cwd=cwd, env=environment(home), capture_output=True, text=True, timeout=200, check=False
    )
    assert (done.returncode != 0) == fails, f"dvc {' '.join(words)}: {done.stdout}{done.stderr}"
    return done.stderr if fails else done.stdout


def dvc_several(*commands: Sequence[str], cwd: Path, home: Path | None = None) -> list[Answer]:
    """Several DVC commands one after another in one process, which saves the second that each takes to start.

    ``["RELINK"]`` is none of DVC's: it prints how many files DVC's cache has, and how many ``doctor`` links into it.
    """
    done = subprocess.run(
        [sys.executable, "-c", SEVERAL, json.dumps(commands)],
        cwd=cwd,
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [Answer(*answer) for answer in json.loads(done.stdout)]


def python(code: str, cwd: Path, home: Path | None = None) -> str:
    """What a program prints that uses DVC's API."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, env=environment(home), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


MODEL = os.urandom(150_000)
PART = b"part of a folder\n" * 9000
CHECKPOINT = "epoch=3-step=100 (best, v1+).ckpt"


def log_runs(work: Path) -> tuple[gittrack.SavedRun, gittrack.SavedRun]:
    """Two runs with a file, a folder and a small artifact, logged from the current directory."""
    folder = work / "dataset"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "part.bin").write_bytes(PART)
    (folder / "readme.txt").write_text("read me\n")
    found = []
    for lr in (0.1, 0.2):
        with gittrack.start_run(params={"lr": lr}, strict=True) as run:
            for step in range(3):
                run.log_metric("train/loss", lr / (step + 1), step)
            run.log_text(MODEL, "model.bin")
            run.log_text(PART, CHECKPOINT)
            run.log_artifact(folder)
            run.log_text(f"lr was {lr}\n", "note.txt")
        found.append(gittrack.get_run(run.id))
    return found[0], found[1]


def push_all() -> None:
    """``gittrack artifact push`` of every run, to the remote that the project has."""
    done = push_bytes(Project.open(), gittrack.runs())
    assert not done.failures, done.failures


def state_of(root: Path) -> dict[str, str]:
    """Every file of a work tree, DVC's own included, and git's index and refs of branches; by content and mode."""
    found = {}
    places = [path for path in root.rglob("*") if ".git" not in path.relative_to(root).parts]
    places += [root / ".git" / "index", root / ".git" / "HEAD", *(root / ".git" / "info").glob("*")]
    for path in places:
        if path.is_file() and ".dvc/cache/" not in path.as_posix():
            name = path.relative_to(root).as_posix()
            found[name] = f"{path.stat().st_mode:o} {hashlib.sha256(path.read_bytes()).hexdigest()}"
    return found


@contextmanager
def git_over_http(top: Path) -> Iterator[str]:
    """The repositories below a folder, served by git's own ``http-backend``; the URL of the folder."""
    backend = Path(subprocess.run(["git", "--exec-path"], capture_output=True, text=True, check=True).stdout.strip())

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            path, _, query = self.path.partition("?")
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length) if length else self._chunks()
            variables: Mapping[str, str] = {
                "GIT_PROJECT_ROOT": str(top),
                "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "REMOTE_ADDR": "127.0.0.1",
            }
            done = subprocess.run(
                [str(backend / "git-http-backend")],
                input=body,
                env={**os.environ, **variables},
                capture_output=True,
                check=False,
            )
            head, _, content = done.stdout.partition(b"\r\n\r\n")
            headers = [line.partition(": ")[::2] for line in head.decode().split("\r\n") if line]
            status = next((int(value.split()[0]) for name, value in headers if name == "Status"), 200)
            self.send_response(status)
            for name, value in headers:
                if name != "Status":
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _chunks(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return b""
            data = b""
            while size := int(self.rfile.readline(), 16):
                data += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return data

        do_GET = do_POST = _serve

        def log_message(self, *arguments: object) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
