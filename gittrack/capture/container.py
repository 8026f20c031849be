"""The container a process runs in."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from gittrack.capture.redaction import safe_text

_READ_LIMIT = 256 * 1024
_IMAGE_VARIABLES = ("CONTAINER_IMAGE", "DOCKER_IMAGE", "IMAGE_NAME")
_CGROUP_WORDS = (
    ("kubepods", "kubernetes"),
    ("libpod", "podman"),
    ("docker", "docker"),
    ("containerd", "containerd"),
    ("lxc", "lxc"),
)


def container(environ: Mapping[str, str], root: str = "/") -> dict[str, str]:
    """What is known about the container around this process; ``{}`` outside one.

    Args:
        environ: the process's environment.
        root: where the file system begins; another folder holds a recorded sample.

    Returns:
        ``runtime`` (``docker``, ``podman``, ``kubernetes``, ``apptainer``, …) and, as far as known, ``image``, ``id``
        and ``name``.
    """
    mountinfo = _read(root, "proc/self/mountinfo")
    runtime = _runtime(environ, root, mountinfo)
    if not runtime:
        return {}
    stated = _container_env(root)
    names = {
        "image": stated.get("image") or _image(environ),
        "id": stated.get("id") or _container_id(mountinfo),
        "name": stated.get("name") or (environ.get("POD_NAME", "") if runtime == "kubernetes" else ""),
    }
    return {"runtime": runtime} | {name: safe_text(value[:1000]) for name, value in names.items() if value}


def _runtime(environ: Mapping[str, str], root: str, mountinfo: str) -> str:
    if any(environ.get(name) for name in ("APPTAINER_CONTAINER", "APPTAINER_NAME")):
        return "apptainer"
    if any(environ.get(name) for name in ("SINGULARITY_CONTAINER", "SINGULARITY_NAME")):
        return "singularity"
    if environ.get("KUBERNETES_SERVICE_HOST"):
        return "kubernetes"
    if os.path.exists(os.path.join(root, "run/.containerenv")):
        return "podman"
    if os.path.exists(os.path.join(root, ".dockerenv")):
        return "docker"
    cgroup = _read(root, "proc/1/cgroup")
    for word, runtime in _CGROUP_WORDS:
        if word in cgroup or f"/{word}/containers/" in mountinfo:
            return runtime
    declared = environ.get("container", "").strip().lower()  # set by podman, systemd-nspawn, lxc and flatpak
    return declared if re.fullmatch(r"[a-z][a-z0-9-]{1,30}", declared) else ""


def _image(environ: Mapping[str, str]) -> str:
    for name in ("APPTAINER_CONTAINER", "SINGULARITY_CONTAINER"):
        if environ.get(name):
            return os.path.basename(environ[name])  # the folder around it is this machine's business
    return next((environ[name] for name in _IMAGE_VARIABLES if environ.get(name)), "")


def _container_env(root: str) -> dict[str, str]:
    """The ``key="value"`` lines podman writes into ``/run/.containerenv`` of a privileged container."""
    lines = _read(root, "run/.containerenv").splitlines()
    pairs = (line.partition("=") for line in lines if "=" in line)
    return {key.strip(): value.strip().strip('"') for key, _, value in pairs}


def _container_id(mountinfo: str) -> str:
    found = re.search(r"/containers/(?:overlay-containers/)?([0-9a-f]{64})/", mountinfo)
    return found[1] if found else ""


def _read(root: str, path: str) -> str:
    try:
        with open(os.path.join(root, path), "rb") as file:
            return file.read(_READ_LIMIT).decode("utf-8", "replace")
    except OSError:
        return ""  # not this kind of system: the fact is left out
