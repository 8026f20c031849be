"""gittrack: a Git-native ML experiment tracker.

Each run becomes a commit whose parent is the exact code that ran::

    import gittrack

    with gittrack.start_run(name="first", params={"lr": 0.1}):
        for epoch in range(3):
            gittrack.log_metric("loss", 1 / (epoch + 1))

``gittrack ls`` then lists it, ``git show runs/inbox/<id>:params.toml`` reads it without gittrack.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gittrack._version import __version__

if TYPE_CHECKING:
    from gittrack.api.compare import compare
    from gittrack.api.diff import diff
    from gittrack.api.fluent import (
        active_run,
        delete_tag,
        end_run,
        log_metric,
        log_metrics,
        log_param,
        log_params,
        seed,
        set_experiment,
        set_note,
        set_tag,
        set_tags,
        should_stop,
        start_run,
    )
    from gittrack.api.fluent_files import (
        log_artifact,
        log_artifact_uri,
        log_artifacts,
        log_dict,
        log_figure,
        log_image,
        log_input,
        log_model,
        log_table,
        log_text,
        use_artifact,
    )
    from gittrack.api.histories import metrics
    from gittrack.api.lineage import lineage
    from gittrack.api.loaded_models import load_model
    from gittrack.api.pareto import pareto
    from gittrack.api.read import get_run, runs
    from gittrack.api.run import Run
    from gittrack.api.saved_run import SavedRun
    from gittrack.api.search_runs import search_runs
    from gittrack.api.sharing import comment, fetch, inbox, pull, push, sharing_status
    from gittrack.api.similar import similar
    from gittrack.api.track import track
    from gittrack.api.whence import whence

__all__ = [
    "Run",
    "SavedRun",
    "__version__",
    "active_run",
    "comment",
    "compare",
    "delete_tag",
    "diff",
    "end_run",
    "fetch",
    "get_run",
    "inbox",
    "lineage",
    "load_model",
    "log_artifact",
    "log_artifact_uri",
    "log_artifacts",
    "log_dict",
    "log_figure",
    "log_image",
    "log_input",
    "log_metric",
    "log_metrics",
    "log_model",
    "log_param",
    "log_params",
    "log_table",
    "log_text",
    "metrics",
    "pareto",
    "pull",
    "push",
    "runs",
    "search_runs",
    "seed",
    "set_experiment",
    "set_note",
    "set_tag",
    "set_tags",
    "sharing_status",
    "should_stop",
    "similar",
    "start_run",
    "track",
    "use_artifact",
    "whence",
]

_OF_FILES = (
    "log_artifact log_artifact_uri log_artifacts log_dict log_figure log_image log_input log_model log_table log_text "
    "use_artifact"
)
_OF_SHARING = "comment fetch inbox pull push sharing_status"
_ELSEWHERE = {
    **dict.fromkeys(_OF_FILES.split(), "gittrack.api.fluent_files"),
    **dict.fromkeys(_OF_SHARING.split(), "gittrack.api.sharing"),
    "Run": "gittrack.api.run",
    "SavedRun": "gittrack.api.saved_run",
    "compare": "gittrack.api.compare",
    "diff": "gittrack.api.diff",
    "get_run": "gittrack.api.read",
    "lineage": "gittrack.api.lineage",
    "load_model": "gittrack.api.loaded_models",
    "metrics": "gittrack.api.histories",
    "pareto": "gittrack.api.pareto",
    "runs": "gittrack.api.read",
    "search_runs": "gittrack.api.search_runs",
    "similar": "gittrack.api.similar",
    "track": "gittrack.api.track",
    "whence": "gittrack.api.whence",
}


def __getattr__(name: str) -> Any:
    # Public names are loaded at first use: `import gittrack` alone must cost next to nothing.
    if name not in __all__:
        raise AttributeError(f"module 'gittrack' has no attribute '{name}'")
    from importlib import import_module

    value = getattr(import_module(_ELSEWHERE.get(name, "gittrack.api.fluent")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
