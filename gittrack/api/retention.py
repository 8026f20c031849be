"""Rules of retention in a project: where they are written, and what they decide about its runs.

``.gittrack.toml`` has a table ``[keep]``, experiment -> list of rules, ``"*"`` for every other experiment; git config
has ``gittrack.<experiment>.keep`` and ``gittrack.keep``, rules with commas between them, and wins. They count only when
``gittrack gc --rules`` is asked to apply them: a file that came with a clone deletes nothing by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gittrack.api.project import read_config_file
from gittrack.config import CONFIG_FILE
from gittrack.core.names import display
from gittrack.core.retention import Candidate, KeepRule, kept_by, parse_rule, superseded
from gittrack.errors import UsageError

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.api.saved_run import SavedRun
    from gittrack.core.ids import RunId

EVERY = "*"
_SECTION, _KEY = "gittrack.", ".keep"


@dataclass(frozen=True, slots=True)
class Retention:
    """What a collection is to make runs give up.

    Attributes:
        rules: experiment -> rules, ``"*"`` for every other one; experiments without rules keep everything.
        checkpoints: how many checkpoints of a kind a run keeps; None: all.
        runs: only these runs give up checkpoints; empty: all.
        deleted: whether deleted runs give up everything; until then they can be restored whole.
    """

    rules: Mapping[str, Sequence[KeepRule]] = field(default_factory=dict)
    checkpoints: int | None = None
    runs: frozenset[RunId] = frozenset()
    deleted: bool = False

    def rules_of(self, experiment: str) -> Sequence[KeepRule]:
        """The rules for an experiment, by its present name; empty: it keeps everything."""
        return self.rules.get(experiment, self.rules.get(EVERY, ()))


@dataclass(frozen=True, slots=True)
class GivenUp:
    """What a run gives up.

    Attributes:
        run: the run.
        paths: of its artifacts; empty for all.
        why: the rules that do not keep it.
    """

    run: SavedRun
    paths: tuple[str, ...]
    why: str


def configured_rules(project: Project) -> dict[str, list[KeepRule]]:
    """The rules that the project's settings give: experiment -> rules.

    Raises:
        UsageError: a rule is none; says where it stands.
    """
    texts: dict[str, list[str]] = {}
    table = read_config_file(project.repo).get("keep", {})
    if not isinstance(table, dict):
        raise UsageError(f"'keep' in {CONFIG_FILE} is no table", hint='[keep], and below it "*" = ["last:50"]')
    for experiment, value in table.items():
        texts[experiment] = _list(f"[keep] '{display(experiment, 80)}' in {CONFIG_FILE}", value)
    for key, text in project.git_config.items():
        if key == _SECTION + _KEY[1:]:
            texts[EVERY] = text.split(",")
        elif key.startswith(_SECTION) and key.endswith(_KEY):
            texts[key[len(_SECTION) : -len(_KEY)]] = text.split(",")
    return {experiment: [parse_rule(text) for text in listed] for experiment, listed in texts.items()}


def _list(where: str, value: object) -> list[str]:
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(isinstance(item, str) for item in listed) or not listed:
        raise UsageError(f"{where} is no list of rules", hint='"*" = ["last:50", "tagged"]')
    return listed


def given_up(runs: Iterable[SavedRun], retention: Retention) -> list[GivenUp]:
    """What each run gives up by rules, newest first; runs that are not over give up nothing.

    Args:
        runs: all runs, deleted ones too.
        retention: the rules.
    """
    result: list[GivenUp] = []
    by_experiment: dict[str, list[SavedRun]] = {}
    for run in runs:
        if run.commit is None:
            continue
        if run.deleted:
            result += [GivenUp(run, (), "deleted")] if retention.deleted else []
        else:
            by_experiment.setdefault(run.record.experiment.name, []).append(run)
    for experiment, members in by_experiment.items():
        result += _of_experiment(members, retention.rules_of(experiment), retention)
    return sorted(result, key=lambda item: (item.run.record.start_time, item.run.id), reverse=True)


def _of_experiment(runs: Sequence[SavedRun], rules: Sequence[KeepRule], retention: Retention) -> list[GivenUp]:
    candidates = [Candidate(run.id, run.record.start_time, run.metrics, run.tags) for run in runs]
    kept = kept_by(rules, candidates) if rules else dict.fromkeys((run.id for run in runs), "")
    why = "not in " + ", ".join(map(str, rules))
    result = [GivenUp(run, (), why) for run in runs if run.id not in kept]
    if retention.checkpoints is not None:
        for run in runs:
            if run.id in kept and (not retention.runs or run.id in retention.runs):
                pointers = [entry.path for entry in run.artifacts() if entry.storage == "pointer"]
                if gone := superseded(pointers, retention.checkpoints):
                    result.append(GivenUp(run, tuple(gone), f"checkpoints before the last {retention.checkpoints}"))
    return result
