"""Remotes over the wire, as real as they come on one machine: git's own http backend behind a password, its daemon."""

from __future__ import annotations

import base64
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

USER, PASSWORD = "ann", "s3cret"


class Death:
    """When the server's side of the next push dies: seconds after it began to work, or never."""

    after: float | None = None


def run_backend(environ: dict[str, str], body: bytes, death: Death) -> bytes:
    """``git http-backend`` on one request; what it said when it was killed in the middle, with all that it started."""
    process = subprocess.Popen(
        ["git", "http-backend"],
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    is_push = environ["PATH_INFO"].endswith("/git-receive-pack") and environ["REQUEST_METHOD"] == "POST"
    if is_push and death.after is not None:
        timer = threading.Timer(death.after, os.killpg, [process.pid, signal.SIGKILL])
        timer.start()
        output, _ = process.communicate(body)
        timer.cancel()
        return output
    return process.communicate(body)[0]


@contextmanager
def http_server(root: Path, death: Death | None = None) -> Iterator[str]:
    """``git http-backend`` over everything below ``root``, with a password; yields the URL without it."""
    dies = death or Death()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None: ...

        def do_GET(self) -> None:
            self.answer()

        def do_POST(self) -> None:
            self.answer()

        def answer(self) -> None:
            body = self.body()
            expected = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            if self.headers.get("Authorization") != expected:
                self.reply(401, [("WWW-Authenticate", 'Basic realm="git"')], b"")
                return
            path, _, query = self.path.partition("?")
            environ = {
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": str(root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "REQUEST_METHOD": self.command,
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "REMOTE_USER": USER,
                "REMOTE_ADDR": "127.0.0.1",
            }
            head, _, content = run_backend(environ, body, dies).partition(b"\r\n\r\n")
            headers = [tuple(line.split(": ", 1)) for line in head.decode().split("\r\n") if ": " in line]
            status = next((int(value.split()[0]) for name, value in headers if name == "Status"), 200)
            self.reply(status, [(n, v) for n, v in headers if n != "Status"], content)

        def body(self) -> bytes:
            if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            data = b""
            while size := int(self.rfile.readline().strip() or b"0", 16):
                data += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return data

        def reply(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def git_daemon(root: Path, death: Death | None = None) -> Iterator[str]:
    """``git daemon`` over everything below ``root``, pushing allowed; yields the URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["git", "daemon", "--reuseaddr", "--listen=127.0.0.1", f"--port={port}", f"--base-path={root}"]
    daemon = subprocess.Popen([*command, "--export-all", "--enable=receive-pack", str(root)], stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        with _killing_children(daemon.pid, death or Death()):
            yield f"git://127.0.0.1:{port}"
    finally:
        daemon.terminate()
        daemon.wait()


@contextmanager
def _killing_children(parent: int, death: Death) -> Iterator[None]:
    """Kill what a daemon starts for a push, with all that it started in turn."""
    stopped = threading.Event()

    def watch() -> None:
        seen = set(_children(parent))
        while not stopped.wait(0.002):
            for child in set(_children(parent)) - seen:
                seen.add(child)
                after = death.after
                if after is not None and not stopped.wait(after):
                    for each in _tree(child):
                        with suppress(ProcessLookupError):
                            os.kill(each, signal.SIGKILL)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def _tree(process: int) -> list[int]:
    return [process, *(each for child in _children(process) for each in _tree(child))]


def _children(process: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    except OSError:  # it has ended
        return []


def ssh_command(folder: Path) -> Path:
    """A program that takes ssh's arguments and runs the command here; what takes a push lives ``$DIES_AFTER`` s."""
    script = folder / "ssh"
    script.write_text(
        "#!/bin/sh\nfor last; do :; done\n"
        'case "$last" in git-receive-pack*) exec timeout -s KILL "${DIES_AFTER:-1000}" sh -c "$last";; esac\n'
        'exec sh -c "$last"\n'
    )
    script.chmod(0o755)
    return script


def mortal_receive_pack(folder: Path) -> Path:
    """A ``git-receive-pack`` that is killed, with all that it started, ``$DIES_AFTER`` seconds after it begins."""
    script = folder / "receive-pack"
    script.write_text('#!/bin/sh\nexec timeout -s KILL "${DIES_AFTER:-1000}" git-receive-pack "$@"\n')
    script.chmod(0o755)
    return script
