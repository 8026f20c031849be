"""NVIDIA GPUs: which there are, and how busy. Costs one ``stat`` where there are none."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from gittrack.capture.redaction import storable

_READ_LIMIT = 16 * 1024
_MEGABYTE = 1_000_000


def list_gpus(root: str = "/") -> list[dict[str, Any]]:
    """The GPUs, by NVML where its package is installed, else by what the driver writes under ``/proc``.

    Args:
        root: where the file system begins; another folder holds a recorded sample.

    Returns:
        per GPU ``name`` and, as far as known, ``memory_bytes``, ``driver`` and ``cuda`` (the newest version the
        driver supports).
    """
    nvml = open_nvml(root)
    if nvml is None:
        return _gpus_of_driver(root)
    try:
        return [_describe(nvml, index) for index in range(nvml.nvmlDeviceGetCount())]
    except nvml.NVMLError:
        return _gpus_of_driver(root)  # a driver that does not fit its library
    finally:
        close_nvml(nvml)


def open_nvml(root: str = "/") -> Any | None:
    """The ``pynvml`` module, initialised, or None without a GPU, without the package or without a working driver."""
    if not os.path.exists(os.path.join(root, "dev/nvidia0")) and not os.path.exists(os.path.join(root, "dev/dxg")):
        return None
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    return pynvml


def close_nvml(nvml: Any) -> None:
    """Give back what :func:`open_nvml` opened."""
    try:
        nvml.nvmlShutdown()
    except nvml.NVMLError:
        pass  # nothing is left to close


def read_gpus(nvml: Any) -> dict[str, float]:
    """What the GPUs do now: ``gpu<n>/util_percent``, ``gpu<n>/memory_mb`` and ``gpu<n>/power_w``, as far as told."""
    readings: dict[str, float] = {}
    for index in range(nvml.nvmlDeviceGetCount()):
        device = nvml.nvmlDeviceGetHandleByIndex(index)
        for name, read, divisor in (
            ("util_percent", lambda gpu: nvml.nvmlDeviceGetUtilizationRates(gpu).gpu, 1),
            ("memory_mb", lambda gpu: nvml.nvmlDeviceGetMemoryInfo(gpu).used, _MEGABYTE),
            ("power_w", nvml.nvmlDeviceGetPowerUsage, 1000),
        ):
            value = _told(nvml, read, device)
            if value is not None:
                readings[f"gpu{index}/{name}"] = value / divisor
    return readings


def _told(nvml: Any, read: Callable[[Any], Any], device: Any) -> Any | None:
    """What ``read`` says of a device, None when this model or driver does not tell."""
    try:
        return read(device)
    except nvml.NVMLError:
        return None


def _describe(nvml: Any, index: int) -> dict[str, Any]:
    device = nvml.nvmlDeviceGetHandleByIndex(index)
    facts = {
        "name": _text(nvml.nvmlDeviceGetName(device)),
        "memory_bytes": _told(nvml, lambda gpu: int(nvml.nvmlDeviceGetMemoryInfo(gpu).total), device),
        "driver": _told(nvml, lambda _: _text(nvml.nvmlSystemGetDriverVersion()), device),
        "cuda": _told(nvml, lambda _: _cuda(nvml.nvmlSystemGetCudaDriverVersion()), device),
    }
    return {name: value for name, value in facts.items() if value is not None}


def _gpus_of_driver(root: str) -> list[dict[str, Any]]:
    folder = os.path.join(root, "proc/driver/nvidia")
    try:
        addresses = sorted(os.listdir(os.path.join(folder, "gpus")))
    except OSError:
        return []  # no such driver
    words = _read(os.path.join(folder, "version")).split()
    driver = next((word for word in words if word[0].isdigit() and "." in word), "")
    gpus = []
    for address in addresses:
        lines = _read(os.path.join(folder, "gpus", address, "information")).splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("Model:")), "")
        gpus.append({"name": name or "unknown"} | ({"driver": driver} if driver else {}))
    return gpus


def _cuda(version: int) -> str:
    return f"{version // 1000}.{version % 1000 // 10}"


def _text(name: str | bytes) -> str:
    return storable(name.decode("utf-8", "replace") if isinstance(name, bytes) else name)


def _read(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return file.read(_READ_LIMIT).decode("utf-8", "replace")
    except OSError:
        return ""  # the driver of another version
