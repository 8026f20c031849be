"""System metrics: a thread that samples how busy the machine is."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from gittrack.capture.gpus import close_nvml, open_nvml, read_gpus
from gittrack.capture.system_probes import Probe, Reading, open_probe

Log = Callable[[str, float, int], None]
"""Takes one value: name, value, timestamp (ms since the epoch, UTC)."""

_MEGABYTE = 1_000_000
_SHORTEST_INTERVAL_S = 0.1
_JOIN_S = 5.0


def _now() -> int:
    return time.time_ns() // 1_000_000


class SystemSampler:
    """Logs system metrics at its start, every ``interval_s``, and at its end, from a daemon thread.

    Metrics, MB being 10^6 bytes: ``system/cpu_percent`` (of all processors, since the sample before; absent from the
    first), ``system/memory_percent``, ``system/process_memory_mb``; since the start ``system/disk_read_mb``,
    ``system/disk_write_mb``, ``system/network_in_mb``, ``system/network_out_mb`` of the whole machine; with NVML
    ``system/gpu<n>/util_percent``, ``…/memory_mb``, ``…/power_w``. What the machine does not tell is left out.

    It never raises into the process. The first failure is told to ``warn``, all are counted in ``failures``.

    Args:
        log: called with each value; from the sampler's thread, and at the end from the thread that stops it.
        interval_s: seconds between samples, at least 0.1.
        clock: the time now, ms since the epoch, UTC.
        warn: called once, with a message, when sampling or logging first fails.
        probe: where the counters come from; by default psutil, else ``/proc``.

    >>> with SystemSampler(lambda name, value, timestamp: None):
    ...     pass  # train
    """

    def __init__(
        self,
        log: Log,
        interval_s: float = 10.0,
        *,
        clock: Callable[[], int] = _now,
        warn: Callable[[str], None] | None = None,
        probe: Probe | None = None,
    ) -> None:
        self.failures = 0
        self._log = log
        self._interval = max(interval_s, _SHORTEST_INTERVAL_S)
        self._clock = clock
        self._warn = warn
        self._probe = probe
        self._nvml: Any | None = None
        self._first: Reading | None = None
        self._last: Reading | None = None
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._process = 0

    def start(self) -> None:
        """Begin to sample; a second call does nothing."""
        if self._thread is None:
            self._process = os.getpid()
            self._thread = threading.Thread(target=self._run, name="gittrack-system-metrics", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Take the last sample and end. A second call, and one in a forked child, does nothing."""
        thread = self._thread
        if thread is None or self._ended.is_set() or os.getpid() != self._process:
            return
        self._ended.set()
        thread.join(_JOIN_S)
        if not thread.is_alive():  # else it hangs in a driver: a second reader would hang too
            self._sample()
            self._close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self) -> None:
        self._open()
        self._sample()
        while not self._ended.wait(self._interval):
            self._sample()

    def _open(self) -> None:
        # In the thread, because importing psutil takes some 20 ms.
        try:
            self._probe = self._probe or open_probe()
            self._nvml = open_nvml()
        except Exception as error:  # noqa: BLE001 - sampling must never break a training; it is reported
            self._report(error)

    def _close(self) -> None:
        if self._nvml is not None:
            close_nvml(self._nvml)
            self._nvml = None

    def _sample(self) -> None:
        timestamp = self._clock()
        for take in (self._log_machine, self._log_gpus):
            try:
                take(timestamp)
            except Exception as error:  # noqa: BLE001 - see _open
                self._report(error)

    def _report(self, error: Exception) -> None:
        self.failures += 1
        if self.failures == 1 and self._warn is not None:
            try:
                self._warn(f"system metrics are incomplete: {type(error).__name__}: {error}"[:500])
            except Exception:  # noqa: BLE001 - a broken warning is one more failure
                self.failures += 1

    def _log_machine(self, timestamp: int) -> None:
        if self._probe is None:
            return
        reading = self._probe.read()
        before, self._last = self._last, reading
        self._first = self._first or reading
        for name, value in (_levels(reading) | _changes(self._first, reading) | _load(before, reading)).items():
            self._log(f"system/{name}", value, timestamp)

    def _log_gpus(self, timestamp: int) -> None:
        if self._nvml is not None:
            for name, value in read_gpus(self._nvml).items():
                self._log(f"system/{name}", value, timestamp)


def _levels(reading: Reading) -> dict[str, float]:
    levels = {}
    if reading.memory_percent is not None:
        levels["memory_percent"] = round(reading.memory_percent, 2)
    if reading.process_memory is not None:
        levels["process_memory_mb"] = reading.process_memory / _MEGABYTE
    return levels


def _changes(first: Reading, reading: Reading) -> dict[str, float]:
    """The counters in MB since the first reading; one that fell (a disk or link went away) stays at 0."""
    changes = {}
    for name in ("disk_read", "disk_write", "network_in", "network_out"):
        before, now = getattr(first, name), getattr(reading, name)
        if before is not None and now is not None:
            changes[f"{name}_mb"] = max(now - before, 0) / _MEGABYTE
    return changes


def _load(before: Reading | None, reading: Reading) -> dict[str, float]:
    if before is None or before.cpu_total is None or reading.cpu_total is None:
        return {}
    total = reading.cpu_total - before.cpu_total
    if total <= 0 or reading.cpu_busy is None or before.cpu_busy is None:
        return {}  # too little time passed for the kernel's clock
    busy = reading.cpu_busy - before.cpu_busy
    return {"cpu_percent": round(min(max(100 * busy / total, 0.0), 100.0), 2)}
