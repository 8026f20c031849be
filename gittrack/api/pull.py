"""Artifact bytes brought here for the runs that are meant: none, models, the best by a metric, or all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gittrack.api.retention import EVERY, Retention, judge
from gittrack.core.retention import parse_rule
from gittrack.errors import UsageError

if TYPE_CHECKING:
    from gittrack.api.artifact_transfer import ToldProgress
    from gittrack.api.project import Project
    from gittrack.api.saved_run import SavedRun
    from gittrack.artifacts.transfer import Transfer

NONE, MODELS, ALL = "none", "models", "all"


def wanted_bytes(project: Project, which: str) -> list[SavedRun | str]:
    """The runs, or the digests of artifacts, whose bytes are meant.

    Args:
        project: where.
        which: ``none``; ``models``: the folders of logged models; ``all``; or a rule that keeps runs
            (``best:10 by lowest val_loss``, ``last:50``, ``tagged``), in each experiment.

    Raises:
        UsageError: it is none of these, or ranks by a metric that no run has.
    """
    if which == NONE:
        return []
    from gittrack.api.read import list_runs

    runs = [run for run in list_runs(project).runs if run.commit is not None]
    if which == ALL:
        return list(runs)
    if which == MODELS:
        return list(dict.fromkeys(digest for run in runs for digest in _model_digests(run)))
    try:
        rule = parse_rule(which)
    except UsageError as error:
        hint = "none, models, all, last:50, 'best:10 by lowest val_loss', tagged"
        raise UsageError(f"artifacts: {error.message}", hint=hint) from error
    judged = judge(runs, Retention(rules={EVERY: [rule]}, typed=True))
    given_up = {item.run.id for item in judged.given_up}
    return [run for run in runs if run.id not in given_up]


def _model_digests(run: SavedRun) -> list[str]:
    folders = tuple(model.artifact for model in run.models() if model.artifact)
    return [
        entry.digest
        for entry in run.artifacts()
        if entry.storage == "pointer" and any(entry.path == f or entry.path.startswith(f"{f}/") for f in folders)
    ]


def pull_wanted(project: Project, which: str, told: ToldProgress | None = None) -> Transfer | None:
    """Bring the bytes that are meant; None when none are.

    Raises:
        UsageError: as of :func:`wanted_bytes`.
        RemoteError, AuthenticationError, NotFoundError, MissingDependencyError: the DVC remote.
    """
    wanted = wanted_bytes(project, which)
    if not wanted:
        return None
    from gittrack.api.artifact_transfer import pull_bytes

    return pull_bytes(project, wanted, told=told, named=False)
