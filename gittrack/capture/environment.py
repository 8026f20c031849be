"""The environment of a run: interpreter, platform, packages, hardware, lock files, chosen variables."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gittrack.capture.ci import ci_job
from gittrack.capture.command_line import base_name
from gittrack.capture.container import container
from gittrack.capture.hardware import hardware
from gittrack.capture.lock_files import LockFiles
from gittrack.capture.packages import InstalledPackages, list_conda_packages
from gittrack.capture.redaction import MASK, names_secret, safe_text, storable
from gittrack.core import toml

ALLOWED_VARIABLES = (
    *("CUDA_DEVICE_ORDER", "CUDA_LAUNCH_BLOCKING", "CUDA_VISIBLE_DEVICES", "CUBLAS_WORKSPACE_CONFIG"),
    *("NVIDIA_VISIBLE_DEVICES", "NVIDIA_TF32_OVERRIDE", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"),
    *("OMP_NUM_THREADS", "OMP_PROC_BIND", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"),
    *("VECLIB_MAXIMUM_THREADS", "KMP_AFFINITY", "KMP_BLOCKTIME", "TOKENIZERS_PARALLELISM"),
    *("PYTHONHASHSEED", "PYTHONOPTIMIZE", "PYTHON_GIL", "TF_DETERMINISTIC_OPS", "TF_CUDNN_DETERMINISTIC"),
    *("TF_ENABLE_ONEDNN_OPTS", "TF_FORCE_GPU_ALLOW_GROWTH", "XLA_FLAGS", "JAX_PLATFORMS", "JAX_ENABLE_X64"),
    *("PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ENABLE_MPS_FALLBACK", "NCCL_P2P_DISABLE", "NCCL_IB_DISABLE", "NCCL_ALGO"),
    *("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "NODE_RANK", "GROUP_RANK"),
    *("SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "SLURM_JOB_PARTITION", "SLURM_JOB_NUM_NODES"),
    *("SLURM_NTASKS", "SLURM_PROCID", "SLURM_CPUS_PER_TASK", "SLURM_GPUS", "PBS_JOBID", "LSB_JOBID"),
)
"""The variables that are recorded, when set. No other one ever is, unless its name is given as ``allowed``."""

_VALUE_LIMIT = 2000


class EnvironmentCapture:
    """Captures the environment of this process; what did not change since is not read again.

    Hardware and conda packages are read once per object, a folder of ``sys.path`` or a lock file when it changed.
    """

    def __init__(self) -> None:
        self._hardware: bytes | None = None
        self._packages = InstalledPackages()
        self._conda: bytes | None = None
        self._platform: dict[str, Any] | None = None
        self._lock_files: dict[Path, LockFiles] = {}
        self._documents: dict[str, tuple[object, bytes]] = {}

    def capture(
        self, environ: Mapping[str, str], work_tree: Path | None, allowed: Sequence[str] = ()
    ) -> dict[str, bytes]:
        """The files of ``environment/``: name -> bytes, the same bytes as long as nothing changed.

        Args:
            environ: the process's environment. Only :data:`ALLOWED_VARIABLES` and ``allowed`` of it are recorded.
            work_tree: root of the work tree, where lock files are looked for; None without one.
            allowed: names of further variables. A name that means a secret gets ``***`` for its value.

        Returns:
            ``environment.toml``, ``packages.txt``, ``hardware.toml`` and, where there are any, ``locks.toml`` and
            ``conda.txt``.
        """
        files = {"environment.toml": self._dump("environment.toml", self._environment(environ, allowed))}
        files |= self._package_files(work_tree)
        if self._hardware is None:
            self._hardware = toml.dump(hardware())
        files["hardware.toml"] = self._hardware
        locks = self._locks(work_tree)
        if locks:
            files["locks.toml"] = self._dump("locks.toml", {"locks": locks})
        return files

    def _dump(self, name: str, data: dict[str, Any]) -> bytes:
        known = self._documents.get(name)
        if known is None or known[0] != data:
            known = (data, toml.dump(data))
            self._documents[name] = known
        return known[1]

    def _environment(self, environ: Mapping[str, str], allowed: Sequence[str]) -> dict[str, Any]:
        if self._platform is None:
            self._platform = _platform()
        sections = {
            "python": _python(),
            "platform": self._platform,
            "locale": _locale(environ),
            "container": container(environ),
            "ci": ci_job(environ),
            "variables": _variables(environ, allowed),
        }
        return {name: section for name, section in sections.items() if section}

    def _package_files(self, work_tree: Path | None) -> dict[str, bytes]:
        files = {"packages.txt": self._packages.list(sys.path, work_tree)}
        if self._conda is None:
            self._conda = list_conda_packages(sys.prefix)
        return files | ({"conda.txt": self._conda} if self._conda else {})

    def _locks(self, work_tree: Path | None) -> list[dict[str, Any]]:
        if work_tree is None:
            return []
        if work_tree not in self._lock_files:
            self._lock_files[work_tree] = LockFiles(work_tree)
        return self._lock_files[work_tree].read()


def _python() -> dict[str, Any]:
    facts = {
        "implementation": sys.implementation.name,
        "version": ".".join(map(str, sys.version_info[:3])) + _release_suffix(),
        "executable": storable(base_name(sys.executable or "")),
        "environment": _kind_of_environment(),
        "optimize": sys.flags.optimize,
    }
    return {name: value for name, value in facts.items() if value}


def _release_suffix() -> str:
    level, serial = sys.version_info.releaselevel, sys.version_info.serial
    return "" if level == "final" else f"{level[:1]}{serial}".replace("c", "rc")


def _kind_of_environment() -> str:
    if os.path.isdir(os.path.join(sys.prefix, "conda-meta")):
        return "conda"
    return "venv" if sys.prefix != sys.base_prefix else ""


def _platform() -> dict[str, Any]:
    if hasattr(os, "uname"):
        system = os.uname()
        facts = {"system": system.sysname, "release": system.release, "machine": system.machine}
    else:
        import platform

        facts = {"system": platform.system(), "release": platform.release(), "machine": platform.machine()}
    facts["distribution"] = _distribution()
    facts["libc"] = _libc()
    return {name: storable(value) for name, value in facts.items() if value}


def _distribution() -> str:
    try:
        with open("/etc/os-release", encoding="utf-8", errors="replace") as file:
            lines = file.read(16 * 1024).splitlines()
    except OSError:
        return ""  # not a Linux distribution
    return next((line[12:].strip("\"'") for line in lines if line.startswith("PRETTY_NAME=")), "")


def _libc() -> str:
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (AttributeError, ValueError, OSError):
        return ""  # another C library, or Windows


def _locale(environ: Mapping[str, str]) -> dict[str, str]:
    offset = time.strftime("%z")
    facts = {
        "language": next((environ[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if environ.get(name)), ""),
        "encoding": sys.getfilesystemencoding(),
        "timezone": environ.get("TZ", "").lstrip(":") or _system_timezone(),
        "utc_offset": f"{offset[:3]}:{offset[3:]}" if offset else "",
    }
    return {name: safe_text(value[:200]) for name, value in facts.items() if value}


def _system_timezone() -> str:
    try:
        return os.readlink("/etc/localtime").rpartition("zoneinfo/")[2]
    except OSError:
        return ""  # no link, so no name


def _variables(environ: Mapping[str, str], allowed: Sequence[str]) -> dict[str, str]:
    recorded = {}
    for name in (*ALLOWED_VARIABLES, *allowed):
        value = environ.get(name)
        if value is not None:
            recorded[storable(name)] = MASK if names_secret(name) else safe_text(value[:_VALUE_LIMIT])
    return recorded
