"""Rules of retention in a project: where they are written, and what they decide about its runs.

``.gittrack.toml`` has a table ``[keep]``, experiment -> list of rules, ``"*"`` for every other experiment; git config
has ``gittrack.<experiment>.keep`` and ``gittrack.keep``, rules with commas between them, and wins. They count only when
``gittrack gc --rules`` is asked to apply them: a file that came with a clone deletes nothing by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import field, replace
from typing import TYPE_CHECKING

from gittrack.api.project import read_config_file
from gittrack.config import CONFIG_FILE
from gittrack.core.names import display
from gittrack.core.retention import (
    Candidate,
    KeepRule,
    kept_by,
    numbered_siblings,
    parse_rule,
    superseded,
    without_values,
)
from gittrack.errors import UsageError
from gittrack.frozen import dataclass

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.api.saved_run import SavedRun
    from gittrack.core.ids import RunId

EVERY = "*"
FilesOf = Callable[[str], Iterable[str]]
_SECTION, _KEY = "gittrack.", ".keep"


@dataclass(frozen=True, slots=True)
class Retention:
    """What a collection is to make runs give up.

    Attributes:
        rules: experiment -> rules, ``"*"`` for every other one; experiments without rules keep everything.
        checkpoints: how many checkpoints of a kind a run keeps; None: all.
        runs: only these runs give up checkpoints; empty: all.
        deleted: whether deleted runs give up everything; until then they can be restored whole.
        typed: the rules were typed just now: one by a metric that no run has is a mistake. Else it keeps, and says so.
    """

    rules: Mapping[str, Sequence[KeepRule]] = field(default_factory=dict)
    checkpoints: int | None = None
    runs: frozenset[RunId] = frozenset()
    deleted: bool = False
    typed: bool = False

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


@dataclass(frozen=True, slots=True)
class Judged:
    """What rules decide.

    Attributes:
        given_up: what each run gives up, newest first.
        notes: what stays because a rule may not mean what it says, and what no rule looks at; a line each.
    """

    given_up: Sequence[GivenUp] = ()
    notes: Sequence[str] = ()


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


def judge(runs: Iterable[SavedRun], retention: Retention, files_of: FilesOf = lambda _: ()) -> Judged:
    """What each run gives up by rules; runs that are not over give up nothing, and what is doubtful stays.

    Args:
        runs: all runs, deleted ones too.
        retention: the rules.
        files_of: the paths of the files of a folder, by its digest, as far as they are known here.

    Raises:
        UsageError: a rule that was typed ranks by a metric that no run has.
    """
    result: list[GivenUp] = []
    notes: list[str] = []
    names: set[str] = set()
    by_experiment: dict[str, list[SavedRun]] = {}
    for run in runs:
        names.add(run.experiment)
        if run.commit is None:
            continue
        if run.deleted:
            result += [GivenUp(run, (), "deleted")] if retention.deleted else []
        else:
            by_experiment.setdefault(run.experiment, []).append(run)
    candidates = {name: _candidates(members) for name, members in by_experiment.items()}
    if retention.typed:
        _refuse_unknown_metrics(candidates, retention)
    spared = _alike(names, retention, notes)
    for name, members in by_experiment.items():
        rules = () if name in spared else retention.rules_of(name)
        notes += _unmatched(name, rules, candidates[name])
        kept = kept_by(rules, candidates[name]) if rules else dict.fromkeys((run.id for run in members), "")
        why = "not in " + ", ".join(map(str, rules))
        result += [GivenUp(run, (), why) for run in members if run.id not in kept]
        if retention.checkpoints is not None:
            asked = [run for run in members if run.id in kept and (not retention.runs or run.id in retention.runs)]
            result += _checkpoints(asked, retention.checkpoints, files_of, notes)
    result.sort(key=lambda item: (item.run.record.start_time, item.run.id), reverse=True)
    return Judged(result, notes)


def _candidates(runs: Iterable[SavedRun]) -> list[Candidate]:
    return [Candidate(run.id, run.record.start_time, run.metrics, run.tags) for run in runs]


def _refuse_unknown_metrics(candidates: Mapping[str, Sequence[Candidate]], retention: Retention) -> None:
    """A metric that no run has is a typing mistake: nothing is to be done by such a rule."""
    judged = [(name, rule) for name in candidates for rule in retention.rules_of(name) if rule.kind == "best"]
    for rule in dict.fromkeys(rule for _, rule in judged):
        known = {metric for name, each in judged if each == rule for run in candidates[name] for metric in run.metrics}
        if rule.metric not in known:
            near = _nearest(rule.metric, sorted(known))
            hint = f"gittrack gc --keep '{replace(rule, metric=near)}'" if near else "gittrack show @latest"
            raise UsageError(f"'{rule}': no run has the metric '{display(rule.metric, 80)}'", hint=hint)


def _unmatched(experiment: str, rules: Sequence[KeepRule], runs: Sequence[Candidate]) -> list[str]:
    metrics = dict.fromkeys(rule.metric for rule in without_values(rules, runs))
    shown = f"experiment '{display(experiment, 80)}' keeps everything: none of its runs has a value of"
    return [f"{shown} '{display(metric, 80)}', which a keep rule ranks by" for metric in metrics]


def _alike(names: Collection[str], retention: Retention, notes: list[str]) -> set[str]:
    """Experiments that keep everything since rules for another name may be meant for them."""
    spared: set[str] = set()
    for unknown in sorted(retention.rules.keys() - {EVERY, *names}):
        near = _nearest(unknown, sorted(set(names) - retention.rules.keys()))
        spared |= {near} if near else set()
        kept = f"; '{display(near, 80)}', which may be meant, keeps everything" if near else ""
        notes.append(f"there are keep rules for '{display(unknown, 80)}', and no such experiment{kept}")
    return spared


def _nearest(name: str, known: Sequence[str]) -> str:
    from difflib import get_close_matches

    return next(iter(get_close_matches(name, known, 1)), "")


def _checkpoints(runs: Iterable[SavedRun], count: int, files_of: FilesOf, notes: list[str]) -> list[GivenUp]:
    result = []
    folders: dict[str, str] = {}
    shapes: dict[str, int] = {}
    for run in runs:
        pointers = [entry for entry in run.artifacts() if entry.storage == "pointer"]
        if gone := superseded((entry.path for entry in pointers), count):
            result.append(GivenUp(run, tuple(gone), f"checkpoints before the last {count}"))
        shapes |= dict(numbered_siblings(entry.path for entry in pointers))
        for entry in pointers:
            if entry.is_folder and superseded(files_of(entry.digest), count):
                folders.setdefault(entry.path, run.name)
    for path, name in folders.items():
        where = f"the folder '{display(path, 80)}' of '{display(name, 80)}'"
        notes.append(f"not considered: checkpoints in {where}, which is one artifact and stays whole")
    for shape, number in shapes.items():
        what = f"{number} files like '{display(shape, 80)}'"
        notes.append(f"not considered: {what}, whose numbers are not named as steps")
    return result
