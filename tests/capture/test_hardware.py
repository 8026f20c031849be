"""The readers run on this machine and on recorded trees of ``/proc`` and ``/sys``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from gittrack.capture.gpus import list_gpus
from gittrack.capture.hardware import hardware

ROOT = Path(__file__).resolve().parents[2]
NVML = """\
class NVMLError(Exception): pass
class Facts:
    total = 80_000_000_000; used = 2_000_000; gpu = 37
def nvmlInit(): print("init")
def nvmlShutdown(): print("shutdown")
def nvmlDeviceGetCount(): return 2
def nvmlDeviceGetHandleByIndex(index): return index
def nvmlDeviceGetName(handle): return b"NVIDIA A100" if handle else "NVIDIA H100"
def nvmlDeviceGetMemoryInfo(handle): return Facts
def nvmlDeviceGetUtilizationRates(handle): return Facts
def nvmlDeviceGetPowerUsage(handle):
    if handle: raise NVMLError("not supported")
    return 250_000
def nvmlSystemGetDriverVersion(): return "550.54.14"
def nvmlSystemGetCudaDriverVersion(): return 12040
"""


def _write(root: Path, path: str, text: str = "") -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text, encoding="utf-8")


def test_this_machine_is_described_as_psutil_does() -> None:
    found = hardware()
    assert found["cpu"]["logical_cores"] == psutil.cpu_count()
    assert found["cpu"].get("physical_cores") in (None, psutil.cpu_count(logical=False))
    assert found["cpu"].get("usable_cores") in (None, len(psutil.Process().cpu_affinity()))
    assert abs(found["memory"]["bytes"] - psutil.virtual_memory().total) < 0.05 * psutil.virtual_memory().total


def test_model_cores_and_limits_come_from_the_kernel(tmp_path: Path) -> None:
    _write(tmp_path, "proc/cpuinfo", "processor : 0\nmodel name\t: Fast  CPU\n\nprocessor : 1\nmodel name : Slow CPU\n")
    for cpu, siblings in enumerate(("0-1", "0-1", "2-3", "2-3")):
        _write(tmp_path, f"sys/devices/system/cpu/cpu{cpu}/topology/core_cpus_list", f"{siblings}\n")
    _write(tmp_path, "sys/devices/system/cpu/cpufreq/x")
    _write(tmp_path, "sys/fs/cgroup/cpu.max", "150000 100000\n")
    _write(tmp_path, "sys/fs/cgroup/memory.max", "1073741824\n")
    found = hardware(str(tmp_path))
    assert (found["cpu"]["model"], found["cpu"]["physical_cores"], found["cpu"]["limit_cores"]) == ("Fast CPU", 2, 1.5)
    assert found["memory"]["limit_bytes"] == 1 << 30


@pytest.mark.parametrize("text", ["max 100000\n", "", "junk"])
def test_no_limit_is_no_fact(tmp_path: Path, text: str) -> None:
    _write(tmp_path, "sys/fs/cgroup/cpu.max", text)
    _write(tmp_path, "sys/fs/cgroup/memory.max", "max\n")
    _write(tmp_path, "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")
    found = hardware(str(tmp_path))
    assert "limit_cores" not in found["cpu"]
    assert "limit_bytes" not in found["memory"]


def test_an_empty_system_gives_what_python_knows(tmp_path: Path) -> None:
    found = hardware(str(tmp_path))
    assert set(found["cpu"]) <= {"logical_cores", "usable_cores"}
    assert found["gpus"] == []


def test_without_nvml_the_driver_names_the_gpus(tmp_path: Path) -> None:
    _write(tmp_path, "proc/driver/nvidia/version", "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.14  Thu\n")
    _write(tmp_path, "proc/driver/nvidia/gpus/0000:01:00.0/information", "Model: \t\t NVIDIA A100\nIRQ: 1\n")
    assert list_gpus(str(tmp_path)) == [{"name": "NVIDIA A100", "driver": "550.54.14"}]


def test_nvml_is_asked_only_where_there_is_a_device(tmp_path: Path) -> None:
    """A stand-in for NVML's package, since no test machine has a GPU; it prints what is called."""
    _write(tmp_path, "lib/pynvml.py", NVML)
    program = (
        "import sys, json; from gittrack.capture.gpus import list_gpus, open_nvml, read_gpus\n"
        f"print(json.dumps(list_gpus({str(tmp_path)!r})), 'pynvml' in sys.modules)\n"
        f"nvml = open_nvml({str(tmp_path)!r})\n"
        "print(json.dumps(read_gpus(nvml) if nvml else None))\n"
    )
    environ = {"PYTHONPATH": os.pathsep.join((str(ROOT), str(tmp_path / "lib")))}

    def lines() -> list[str]:
        command = [sys.executable, "-c", program]
        return subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout.splitlines()

    assert lines() == ["[] False", "null"]
    _write(tmp_path, "dev/nvidia0")
    first, shut, listed, again, readings = lines()
    assert (first, shut, again) == ("init", "shutdown", "init")
    facts = {"memory_bytes": 80_000_000_000, "driver": "550.54.14", "cuda": "12.4"}
    names = ("NVIDIA H100", "NVIDIA A100")
    assert json.loads(listed.removesuffix(" True")) == [{"name": name} | facts for name in names]
    assert json.loads(readings) == {
        "gpu0/util_percent": 37,
        "gpu0/memory_mb": 2,
        "gpu0/power_w": 250,
        "gpu1/util_percent": 37,
        "gpu1/memory_mb": 2,
    }
