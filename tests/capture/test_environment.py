from __future__ import annotations

import os
import platform
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from gittrack.capture.environment import ALLOWED_VARIABLES, EnvironmentCapture
from gittrack.capture.redaction import names_secret

ROOT = Path(__file__).resolve().parents[2]
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzq8Rt4vWsA"


def test_the_environment_of_this_process_is_described(tmp_path: Path) -> None:
    (tmp_path / "uv.lock").write_text("version = 1\n")
    files = EnvironmentCapture().capture({"LANG": "de_DE.UTF-8", "TZ": "UTC", "OMP_NUM_THREADS": "4"}, tmp_path)
    assert set(files) - {"conda.txt"} == {"environment.toml", "packages.txt", "hardware.toml", "locks.toml"}
    facts = tomllib.loads(files["environment.toml"].decode())
    assert facts["python"]["version"] == platform.python_version()
    assert facts["python"]["implementation"] == sys.implementation.name
    assert facts["platform"]["system"] == platform.system()
    assert facts["platform"]["machine"] == platform.machine()
    assert facts["locale"]["language"] == "de_DE.UTF-8"
    assert facts["locale"]["timezone"] == "UTC"
    assert facts["variables"] == {"OMP_NUM_THREADS": "4"}
    assert b"\npytest==" in files["packages.txt"]
    assert tomllib.loads(files["locks.toml"].decode())["locks"][0]["path"] == "uv.lock"
    assert tomllib.loads(files["hardware.toml"].decode())["cpu"]["logical_cores"] == os.cpu_count()


def test_only_allowed_variables_are_recorded_and_no_secret_ever_is(tmp_path: Path) -> None:
    environ = {
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "DATABASE_URL": f"postgres://me:{SECRET}@db/x",
        "MY_TOKEN": SECRET,
        "PROXY": f"http://me:{SECRET[:12]}@proxy/",
        "XLA_FLAGS": f"--x --password={SECRET}",
        "GITLAB_CI": "true",
        "CI_JOB_URL": f"https://ci:{SECRET}@host/1?token={SECRET}",
        "KUBERNETES_SERVICE_HOST": "10.0.0.1",
        "POD_NAME": "train-0",
        "CUDA_VISIBLE_DEVICES": "0,1",
        "UNRELATED": "never recorded",
    }
    files = EnvironmentCapture().capture(environ, tmp_path, allowed=("MY_TOKEN", "PROXY", "ABSENT"))
    everything = b"\n".join(files.values()).decode()
    assert SECRET not in everything
    assert SECRET[:12] not in everything
    assert "never recorded" not in everything
    facts = tomllib.loads(files["environment.toml"].decode())
    assert facts["variables"] == {
        "CUDA_VISIBLE_DEVICES": "0,1",
        "MY_TOKEN": "***",
        "PROXY": "http://proxy/",
        "XLA_FLAGS": "--x --password=***",
    }
    assert facts["ci"] == {"provider": "gitlab", "url": "https://host/1"}
    assert facts["container"] == {"runtime": "kubernetes", "name": "train-0"} | (
        {"id": facts["container"]["id"]} if "id" in facts["container"] else {}
    )


def test_no_allowed_variable_has_the_name_of_a_secret() -> None:
    assert [name for name in ALLOWED_VARIABLES if names_secret(name)] == []


def test_the_same_environment_gives_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    (tmp_path / "uv.lock").write_text("version = 1\n")
    program = (
        "import os, sys; from pathlib import Path; from gittrack.capture.environment import EnvironmentCapture\n"
        f"files = EnvironmentCapture().capture(os.environ, Path({str(tmp_path)!r}))\n"
        "sys.stdout.buffer.write(b'|'.join(name.encode() + files[name] for name in sorted(files)))\n"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0", "UNRELATED": noise},
            capture_output=True,
            check=True,
        ).stdout
        for noise in ("a", "b")
    }
    assert len(outputs) == 1


def test_a_second_capture_gives_the_same_and_sees_what_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    capture = EnvironmentCapture()
    first = capture.capture({}, tmp_path)
    assert capture.capture({}, tmp_path) == first
    assert EnvironmentCapture().capture({}, tmp_path) == first
    site = tmp_path / "site"
    (site / "brand_new-1.0.dist-info").mkdir(parents=True)
    monkeypatch.syspath_prepend(str(site))
    (tmp_path / "uv.lock").write_text("version = 1\n")
    second = capture.capture({"OMP_NUM_THREADS": "2"}, tmp_path)
    assert b"brand-new==1.0\n" in second["packages.txt"]
    assert "locks.toml" in second
    assert b'OMP_NUM_THREADS = "2"' in second["environment.toml"]
    assert capture.capture({}, None)["environment.toml"] == first["environment.toml"]


def test_capturing_starts_no_program_and_loads_nothing_heavy(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path\n"
        "started = []\n"
        "watched = {'subprocess.Popen', 'os.system', 'os.posix_spawn', 'os.fork', 'os.exec', 'socket.connect'}\n"
        "sys.addaudithook(lambda event, _: started.append(event) if event in watched else None)\n"
        "from gittrack.capture.command import capture_command\n"
        "from gittrack.capture.environment import EnvironmentCapture\n"
        f"EnvironmentCapture().capture(os.environ, Path({str(tmp_path)!r}))\n"
        f"capture_command(sys.orig_argv, None, os.environ, Path({str(tmp_path)!r}))\n"
        "heavy = {'subprocess', 'platform', 'psutil', 'importlib.metadata', 'pynvml', 'threading', 'email', 'socket'}\n"
        "print(started, sorted(heavy & set(sys.modules)))\n"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]", "[]"]
