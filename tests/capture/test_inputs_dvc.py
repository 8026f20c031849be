"""Which data DVC tracks: found where it is, and nothing that a file says leads anywhere else."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from gittrack.capture.dvc_inputs import MOST_TRACKED, find_tracked, tracking

MD5 = "0123456789abcdef0123456789abcdef"


def pointer(path: str, md5: str = MD5) -> str:
    return f"outs:\n- md5: {md5}\n  size: 1\n  hash: md5\n  path: {path}\n"


def write(top: Path, files: dict[str, str]) -> list[str]:
    for name, text in files.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(text)
    return list(files)


def test_outs_lie_beside_the_file_that_tracks_them(tmp_path):
    names = write(tmp_path, {"a.csv.dvc": pointer("a.csv"), "sub/b.dvc": pointer("b", MD5 + ".dir")})
    found = find_tracked(tmp_path, str(tmp_path), names)
    assert [(data.path, data.place, data.digest) for data in found.tracked] == [
        ("a.csv", str(tmp_path / "a.csv"), f"md5:{MD5}"),
        ("sub/b", str(tmp_path / "sub/b"), f"md5:{MD5}.dir"),
    ]
    assert found.problems == []


def test_only_what_belongs_to_the_project_counts(tmp_path):
    names = write(tmp_path, {"a.dvc": pointer("a"), "sub/b.dvc": pointer("b"), "sub/.dvc/tmp/c.dvc": pointer("c")})
    found = find_tracked(tmp_path, str(tmp_path / "sub"), names)
    assert [data.path for data in found.tracked] == ["sub/b"]


OUTSIDE = {
    "above": ("../../secret", "../secret"),
    "absolute": ("/etc/passwd", "/etc/passwd"),
    "far above": ("x/../../../../etc/passwd", "../../etc/passwd"),
    "a bucket": ("s3://me:word@bucket/key?X-Amz-Signature=abc", "s3://bucket/key"),
    "the top itself": ("../.", "."),
}


@pytest.mark.parametrize(("path", "shown"), OUTSIDE.values(), ids=OUTSIDE)
def test_what_lies_outside_is_named_and_never_looked_at(tmp_path, path, shown):
    names = write(tmp_path, {"sub/x.dvc": pointer(path)})
    (data,) = find_tracked(tmp_path, str(tmp_path), names).tracked
    assert data.place is None
    assert data.as_input().state == ""
    assert data.path == shown


def test_a_file_that_cannot_be_read_hides_no_other(tmp_path):
    names = write(
        tmp_path,
        {
            "good.dvc": pointer("good"),
            "huge.dvc": "x" * ((1 << 20) + 1),
            "alias.dvc": f"outs:\n- md5: {MD5}\n  path: *x\n",
            "long.dvc": pointer("x" * 1001),
        },
    )
    (tmp_path / "binary.dvc").write_bytes(b"outs:\n- md5: \xff\xfe\x00")
    os.mkfifo(tmp_path / "pipe.dvc")
    (tmp_path / "folder.dvc").mkdir()
    (tmp_path / "link.dvc").symlink_to("good.dvc")
    (tmp_path / "device.dvc").symlink_to("/dev/zero")
    names += ["binary.dvc", "pipe.dvc", "folder.dvc", "link.dvc", "device.dvc", "gone.dvc"]
    began = time.monotonic()
    found = find_tracked(tmp_path, str(tmp_path), names)
    assert time.monotonic() - began < 1
    assert [data.path for data in found.tracked] == ["good"]
    refused = {"huge.dvc", "alias.dvc", "long.dvc", "binary.dvc", "pipe.dvc", "folder.dvc", "link.dvc", "device.dvc"}
    assert {path for path, _ in found.problems} == refused


def test_a_lock_of_thousands_of_outs_is_cut_and_said(tmp_path):
    outs = "".join(f"    - path: f{number}\n      hash: md5\n      md5: {MD5}\n" for number in range(MOST_TRACKED + 5))
    names = write(tmp_path, {"dvc.lock": f"schema: '2.0'\nstages:\n  s:\n    cmd: x\n    outs:\n{outs}"})
    found = find_tracked(tmp_path, str(tmp_path), names)
    assert len(found.tracked) == MOST_TRACKED
    assert len(found.problems) == 1


def test_a_path_is_tracked_by_its_own_file_by_that_of_a_folder_or_by_a_lock(tmp_path):
    outs = f"    outs:\n    - path: made.txt\n      hash: md5\n      md5: {MD5}\n"
    lock = "schema: '2.0'\nstages:\n  s:\n    cmd: x\n" + outs
    write(tmp_path, {"d/a.csv.dvc": pointer("a.csv"), "raw.dvc": pointer("raw", MD5 + ".dir"), "pipe/dvc.lock": lock})

    def of(path: str) -> tuple[str, str] | None:
        found = tracking(tmp_path, tmp_path / path, list)
        return None if found is None else (found[0].path, found[1])

    assert of("d/a.csv") == ("d/a.csv", "")
    assert of("raw") == ("raw", "")
    assert of("raw/deep/er.txt") == ("raw", "deep/er.txt")
    assert of("pipe/made.txt") == ("pipe/made.txt", "")
    assert of("rawer") is None
    assert of("d") is None
    assert tracking(tmp_path, tmp_path, list) is None
    assert tracking(tmp_path, tmp_path.parent / "a", list) is None


def test_a_path_that_another_file_tracks_is_found_among_what_the_project_had(tmp_path):
    names = write(tmp_path, {"all.dvc": pointer("one/a.csv")})
    known = find_tracked(tmp_path, str(tmp_path), names).tracked
    found = tracking(tmp_path, tmp_path / "one/a.csv", lambda: known)
    assert found is not None
    assert found[0].path == "one/a.csv"
