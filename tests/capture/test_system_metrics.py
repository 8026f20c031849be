from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from gittrack.capture.system_metrics import SystemSampler
from gittrack.capture.system_probes import ProcProbe, PsutilProbe, Reading

ROOT = Path(__file__).resolve().parents[2]
Value = tuple[str, float, int]


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, "waited for 120 s"
        time.sleep(0.01)


class Recorded:
    """A probe that plays back readings, the last one for ever."""

    def __init__(self, *readings: Reading) -> None:
        self.readings = list(readings)

    def read(self) -> Reading:
        return self.readings.pop(0) if len(self.readings) > 1 else self.readings[0]


class Broken:
    def read(self) -> Reading:
        raise OSError("no counters today")


def _sampled(probe: object, **options: object) -> tuple[list[Value], SystemSampler]:
    """What is logged between a start and a stop, at the fastest."""
    values: list[Value] = []
    sampler = SystemSampler(lambda *value: values.append(value), 3600, probe=probe, **options)  # type: ignore[arg-type]
    sampler.start()
    sampler.stop()
    return values, sampler


def test_there_is_a_sample_at_the_start_and_at_the_end() -> None:
    values, sampler = _sampled(None)
    names = [name for name, _, _ in values]
    assert names.count("system/memory_percent") == names.count("system/process_memory_mb") == 2
    assert sampler.failures == 0
    now = time.time() * 1000
    assert all(now - 60_000 < timestamp <= now for _, _, timestamp in values)


def test_values_are_changes_since_the_start_and_load_since_the_sample_before() -> None:
    first = Reading(10, 100, 50.0, 1_000_000, disk_read=5_000_000, disk_write=0, network_in=0, network_out=9_000_000)
    last = Reading(40, 200, 60.0, 3_000_000, disk_read=7_000_000, disk_write=0, network_in=500_000, network_out=1)
    ticks = iter([1, 2])
    values, _ = _sampled(Recorded(first, last), clock=lambda: next(ticks))
    at_start = {name: value for name, value, timestamp in values if timestamp == 1}
    at_end = {name: value for name, value, timestamp in values if timestamp == 2}
    zeros = ("disk_read_mb", "disk_write_mb", "network_in_mb", "network_out_mb")
    assert at_start == {"system/memory_percent": 50, "system/process_memory_mb": 1} | {f"system/{n}": 0 for n in zeros}
    assert at_end == {
        "system/cpu_percent": 30,
        "system/memory_percent": 60,
        "system/process_memory_mb": 3,
        "system/disk_read_mb": 2,
        "system/disk_write_mb": 0,
        "system/network_in_mb": 0.5,
        "system/network_out_mb": 0,
    }


def test_samples_follow_each_other_at_the_interval() -> None:
    values: list[Value] = []
    sampler = SystemSampler(lambda *value: values.append(value), 0.1, probe=Recorded(Reading(memory_percent=1.0)))
    with sampler:
        _wait_for(lambda: len(values) >= 4)
    assert {name for name, _, _ in values} == {"system/memory_percent"}


def test_failures_never_reach_the_process_and_are_told_once() -> None:
    warnings: list[str] = []
    _, sampler = _sampled(Broken(), warn=warnings.append)
    assert warnings == ["system metrics are incomplete: OSError: no counters today"]
    assert sampler.failures == 2

    def refuse(name: str, value: float, timestamp: int) -> None:
        raise ValueError("run has ended")

    refused = SystemSampler(refuse, probe=Recorded(Reading(memory_percent=1.0)), warn=refuse)  # type: ignore[arg-type]
    with refused:
        pass
    assert refused.failures == 3


def test_stop_ends_the_thread_and_may_be_called_twice_or_without_a_start() -> None:
    values, sampler = _sampled(Recorded(Reading(memory_percent=1.0)))
    sampler.stop()
    assert len(values) == 2
    assert not [thread for thread in threading.enumerate() if thread.name == "gittrack-system-metrics"]
    SystemSampler(lambda *value: None).stop()


def test_a_sampler_that_is_never_stopped_does_not_keep_the_process_alive() -> None:
    program = "from gittrack.capture.system_metrics import SystemSampler as S; S(lambda *v: None, 3600).start()"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=200)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_logs_nothing_when_it_stops_its_copy() -> None:
    values: list[Value] = []
    sampler = SystemSampler(lambda *value: values.append(value), 3600, probe=Recorded(Reading(memory_percent=1.0)))
    with sampler:
        _wait_for(lambda: bool(values))
        child = os.fork()
        if child == 0:
            sampler.stop()
            os._exit(len(values))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="reads Linux's /proc")
def test_proc_and_psutil_say_the_same() -> None:
    ours, theirs = ProcProbe().read(), PsutilProbe(psutil).read()
    assert ours.memory_percent == pytest.approx(theirs.memory_percent, abs=3)
    assert ours.process_memory == pytest.approx(theirs.process_memory, rel=0.2)
    for name in ("network_in", "network_out", "disk_read", "disk_write"):
        found, expected = getattr(ours, name), getattr(theirs, name)
        assert (found is None) == (expected is None)
        if found is not None:
            assert found == pytest.approx(expected, rel=0.05, abs=10_000_000)
    assert ours.cpu_busy is not None
    assert theirs.cpu_busy is not None
    assert ours.cpu_busy / os.sysconf("SC_CLK_TCK") == pytest.approx(theirs.cpu_busy, rel=0.05, abs=2)


def test_proc_is_read_from_a_recorded_sample(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "stat").write_text("cpu  100 10 50 800 40 0 0 0 7 0\ncpu0 1 1 1 1\n")
    (tmp_path / "meminfo").write_text("MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 250 kB\n")
    (tmp_path / "net" / "dev").write_text(
        "Inter-| Receive\n face |bytes\n    lo: 900 0 0 0 0 0 0 0 900 0\n  eth0: 500 1 0 0 0 0 0 0 70 0 0\n"
    )
    (tmp_path / "diskstats").write_text(
        "8 0 sda 1 0 4 0 1 0 6 0 0 0 0\n8 1 sda1 1 0 4 0 1 0 6 0 0 0 0\n7 0 loop0 1 0 9 0 1 0 9 0 0 0 0\n"
        "259 0 nvme0n1 1 0 2 0 1 0 1 0 0 0 0\n259 1 nvme0n1p1 1 0 2 0 1 0 1 0 0 0 0\n"
    )
    assert ProcProbe(str(tmp_path)).read() == Reading(
        cpu_busy=160, cpu_total=1000, memory_percent=75, process_memory=None,
        disk_read=6 * 512, disk_write=7 * 512, network_in=500, network_out=70,
    )  # fmt: skip


def test_a_machine_that_tells_nothing_gives_nothing(tmp_path: Path) -> None:
    assert ProcProbe(str(tmp_path)).read() == Reading()
    values, sampler = _sampled(ProcProbe(str(tmp_path)))
    assert (values, sampler.failures) == ([], 0)
