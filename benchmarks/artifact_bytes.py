"""A1, A2, A3: a large file, a folder of many, and a thousand small artifacts to a remote and back."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from benchmarks.measure import Row, in_turns, program_seconds, wall
from benchmarks.repositories import make_repository

LARGE = 1_000_000_000
FILES, FILE_BYTES = 10_000, 2_000
SMALL = 1_000
BLOCK = 1 << 20


def rows(work: Path, environ: dict[str, str]) -> list[Row]:
    """Measure all.

    Args:
        work: a folder for data and repositories; several GB are written to it and removed.
        environ: the environment of processes.
    """
    os.chdir(make_repository(work / "artifacts", environ))
    return [*_large_file(work), *_folder(work), *_to_a_remote(work, environ)]


def _kept(folder: Path, data: bytes | None, source: Path | None) -> None:
    """The floor: the md5 of some bytes, and a copy of them named by it."""
    if source is None:
        assert data is not None
        name = hashlib.md5(data, usedforsecurity=False).hexdigest()
        place = folder / name[:2]
        place.mkdir(exist_ok=True)
        with open(place / name[2:], "wb") as file:
            file.write(data)
        return
    md5 = hashlib.md5(usedforsecurity=False)
    buffer = memoryview(bytearray(BLOCK))
    with open(source, "rb", buffering=0) as file, open(folder / "copy", "wb") as target:
        left = os.fstat(file.fileno()).st_size
        while left:
            left -= os.copy_file_range(file.fileno(), target.fileno(), left)
        file.seek(0)
        while count := file.readinto(buffer):
            md5.update(buffer[:count])
        os.fsync(target.fileno())
    os.rename(folder / "copy", folder / md5.hexdigest())


def _large_file(work: Path) -> list[Row]:
    import gittrack

    source, floor_store = work / "large.bin", work / "floor"
    store = Path(".git/gittrack/cache").resolve()
    block = os.urandom(BLOCK)
    with open(source, "wb") as file:
        file.writelines(block for _ in range(LARGE // BLOCK))
        file.write(block[: LARGE % BLOCK])

    def renewed() -> None:
        with open(source, "r+b") as file:
            file.write(uuid.uuid4().bytes)
        os.sync()

    def floor() -> float:
        renewed()
        shutil.rmtree(floor_store, ignore_errors=True)
        floor_store.mkdir()
        cost = wall(lambda: _kept(floor_store, None, source))
        shutil.rmtree(floor_store)
        return cost

    def ours() -> float:
        renewed()
        with gittrack.start_run(strict=True) as run:
            cost = wall(lambda: run.log_artifact(source))
        shutil.rmtree(store)
        return cost

    base, cost = in_turns(floor, ours, rounds=5)
    source.unlink()
    return [Row("A1", "log_artifact of a file of 1 GB", "s", base, cost, 1.2)]


def _folder(work: Path) -> list[Row]:
    import gittrack

    folder, floor_store = work / "many", work / "floor"
    store = Path(".git/gittrack/cache").resolve()
    folder.mkdir()

    def renewed() -> None:
        for number in range(FILES):
            (folder / f"{number % 100:02}").mkdir(exist_ok=True)
            (folder / f"{number % 100:02}" / f"{number}.bin").write_bytes(os.urandom(FILE_BYTES))
        os.sync()

    def floor_work() -> None:
        for directory, _, names in os.walk(folder):
            for name in names:
                with open(os.path.join(directory, name), "rb") as file:
                    _kept(floor_store, file.read(), None)
        os.sync()

    def floor() -> float:
        renewed()
        shutil.rmtree(floor_store, ignore_errors=True)
        floor_store.mkdir()
        os.sync()
        cost = wall(floor_work)
        shutil.rmtree(floor_store)
        return cost

    def log() -> float:
        with gittrack.start_run(strict=True) as run:
            return wall(lambda: run.log_artifact(folder))

    def ours() -> float:
        renewed()
        shutil.rmtree(store, ignore_errors=True)
        os.sync()
        return log()

    base, cost = in_turns(floor, ours, rounds=3)
    time.sleep(2.5)  # files written just now are not believed to stand still
    log()
    base_again, again = in_turns(lambda: wall(lambda: _stat_all(folder)), log, rounds=9)
    shutil.rmtree(folder)
    return [
        Row("A2", "log_artifact of a folder of 10,000 files", "s", base, cost, 2),
        Row("A2", "the same again, unchanged", "s", base_again, again, 2),
    ]


def _stat_all(folder: Path) -> int:
    total = 0
    for directory, _, names in os.walk(folder):
        for name in names:
            total += os.stat(os.path.join(directory, name)).st_size
    return total


LOG_SMALL = """
import os, gittrack
with gittrack.start_run(strict=True) as run:
    for number in range({count}):
        run.log_text(os.urandom(2000), f"{{number % 10}}/{{number}}.bin")
print(gittrack.get_run(run.id).commit)
"""


def _to_a_remote(work: Path, environ: dict[str, str]) -> list[Row]:
    directory = work / "remote"
    directory.mkdir()

    def emptied() -> None:
        shutil.rmtree(directory)
        directory.mkdir()

    found = _pushed_and_pulled(work / "to-directory", environ, str(directory), {}, emptied, "a directory")
    return found + _to_s3(work, environ)


def _pushed_and_pulled(
    place: Path, environ: dict[str, str], url: str, options: dict[str, str], emptied: Callable[[], None], name: str
) -> list[Row]:
    """``gittrack artifact push`` and ``pull`` against DVC's commands on a checkout of the same run."""
    environ = environ | {"GITTRACK_INLINE_LIMIT": "0"}
    repository = make_repository(place, environ)
    python = sys.executable
    settings = [["init", "-q"], ["remote", "add", "-q", "-d", "store", url]]
    settings += [["remote", "modify", "-q", "store", key, value] for key, value in options.items()]
    for words in settings:
        subprocess.run([python, "-m", "dvc", *words], cwd=repository, env=environ, check=True)
    subprocess.run(["git", "commit", "-qam", "dvc"], cwd=repository, env=environ, check=True)
    code = LOG_SMALL.format(count=SMALL)
    commit = subprocess.run(
        [python, "-c", code], cwd=repository, env=environ, check=True, capture_output=True, text=True
    ).stdout.split()[-1]
    checkout = place.with_name(place.name + "-checkout")
    subprocess.run(["git", "worktree", "add", "-q", str(checkout), commit], cwd=repository, env=environ, check=True)
    subprocess.run(
        [python, "-m", "dvc", "cache", "dir", "--local", str(place / ".dvc/cache")],
        cwd=checkout,
        env=environ,
        check=True,
    )
    ours, dvcs = place / ".git/gittrack/cache/files", place / ".dvc/cache/files"

    def theirs(what: str) -> float:
        return program_seconds([python, "-m", "dvc", what, "-q"], checkout, environ)

    def own(what: str) -> float:
        return program_seconds([python, "-m", "gittrack", "artifact", what, commit], repository, environ)

    def dvc_push() -> float:
        emptied()
        return theirs("push")

    def our_push() -> float:
        emptied()
        return own("push")

    def dvc_pull() -> float:
        shutil.rmtree(dvcs)
        shutil.rmtree(checkout / "artifacts")
        subprocess.run(["git", "checkout", "-q", "."], cwd=checkout, env=environ, check=True)
        return theirs("pull")

    def our_pull() -> float:
        shutil.rmtree(dvcs)
        shutil.rmtree(ours)
        return own("pull")

    pushes = in_turns(dvc_push, our_push, rounds=3)
    pulls = in_turns(dvc_pull, our_pull, rounds=3)
    return [
        Row("A3", f"1,000 small artifacts to {name} (floor: dvc push)", "s", *pushes, 0.5),
        Row("A3", f"1,000 small artifacts from {name} (floor: dvc pull)", "s", *pulls, 0.5),
    ]


def _to_s3(work: Path, environ: dict[str, str]) -> list[Row]:
    try:
        import boto3
        import dvc_s3  # noqa: F401
        import moto.server  # noqa: F401
    except ImportError as error:
        print(f"A3 over S3 is left out: {error}", file=sys.stderr)
        return []
    environ = environ | {
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    code = "import sys; from moto.server import ThreadedMotoServer as Moto; s = Moto(port=0, verbose=False); s.start();"
    code += "print(s.get_host_and_port()[1], flush=True); sys.stdin.read()"
    server = subprocess.Popen(
        [sys.executable, "-c", code],
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert server.stdout is not None
    endpoint = f"http://127.0.0.1:{server.stdout.readline().strip()}"
    client = boto3.client(
        "s3", endpoint_url=endpoint, aws_access_key_id="bench", aws_secret_access_key="bench", region_name="us-east-1"
    )
    client.create_bucket(Bucket="bench")

    def emptied() -> None:
        for page in client.get_paginator("list_objects_v2").paginate(Bucket="bench"):
            names = [{"Key": found["Key"]} for found in page.get("Contents", [])]
            if names:
                client.delete_objects(Bucket="bench", Delete={"Objects": names})

    try:
        return _pushed_and_pulled(
            work / "to-s3", environ, "s3://bench/store", {"endpointurl": endpoint}, emptied, "S3 (moto)"
        )
    finally:
        assert server.stdin is not None
        server.stdin.close()
        server.wait()
