"""What a forked child may import late.

A thread that is in the middle of an import when its process forks does not exist in the child, but the lock of the
module it was importing does: who imports that module there waits for ever. So what a run loads only where it is needed
is loaded, and waited for, before a fork.
"""

from __future__ import annotations

from importlib import import_module

_LATE = (
    *("gittrack.api.output_ends", "gittrack.api.rendering", "gittrack.api.run_inputs", "gittrack.api.data_check"),
    *("gittrack.api.byte_storage", "gittrack.api.artifact_remote", "gittrack.artifacts.dvc_project"),
    *("gittrack.artifacts.bytes_store", "gittrack.artifacts.taking", "gittrack.artifacts.folders"),
    *("gittrack.artifacts.known_digests", "gittrack.artifacts.references", "gittrack.core.references"),
    *("gittrack.capture.dvc_inputs", "gittrack.capture.data_digest", "gittrack.capture.failure"),
    *("gittrack.capture.inputs", "gittrack.capture.seeds", "gittrack.core.redact_stream"),
    *("copy", "csv", "dataclasses", "tomli_w", "traceback"),
)
"""All that the methods of a run load at their first call, but for libraries of others."""


def load_late_modules() -> None:
    """Told before a process with an active run forks: some 25 ms at the first fork, nothing after."""
    for name in _LATE:
        import_module(name)
