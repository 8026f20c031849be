"""Which of several cooperating processes this one is: only rank 0 writes the run."""

from __future__ import annotations

from collections.abc import Mapping

_MPI_RANKS = (
    "OMPI_COMM_WORLD_RANK",
    "PMIX_RANK",
    "PMI_RANK",
    "MV2_COMM_WORLD_RANK",
    "HOROVOD_RANK",
    "JSM_NAMESPACE_RANK",
)
_TORCH_COMPANIONS = ("WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR")


def rank(environ: Mapping[str, str]) -> int:
    """The process's rank among all processes of its job, 0 when it is alone.

    ``RANK`` counts only beside another variable of its launcher: people also call a LoRA rank so. ``SLURM_PROCID``
    counts only in a job of several tasks. With ``LOCAL_RANK`` alone the node's rank decides too; when the number of
    processes per node is unknown, the answer is then only certain to be 0 for the first process of the first node.

    >>> rank({"RANK": "8", "LOCAL_RANK": "0", "WORLD_SIZE": "16"})
    8
    """
    if any(name in environ for name in _TORCH_COMPANIONS):
        found = _number(environ, "RANK")
        if found is not None:
            return found
    for name in _MPI_RANKS:
        found = _number(environ, name)
        if found is not None:
            return found
    tasks = _number(environ, "SLURM_STEP_NUM_TASKS") or _number(environ, "SLURM_NTASKS") or 1
    if tasks > 1:
        found = _number(environ, "SLURM_PROCID")
        if found is not None:
            return found
    return _rank_on_node(environ)


def is_primary(environ: Mapping[str, str]) -> bool:
    """Whether this process is the one that writes the run."""
    return rank(environ) == 0


def _rank_on_node(environ: Mapping[str, str]) -> int:
    local = _number(environ, "LOCAL_RANK") or 0
    node = _number(environ, "NODE_RANK") or _number(environ, "GROUP_RANK") or 0
    return node * max(_number(environ, "LOCAL_WORLD_SIZE") or 1, 1) + local


def _number(environ: Mapping[str, str], name: str) -> int | None:
    text = environ.get(name, "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
