"""Which runs keep the bytes of their artifacts, and which checkpoints of a run: rules, and what they decide.

Pure, and never guessing: a rule that may mean two things is refused, a path whose number is not named as a step is no
checkpoint. The runs themselves always stay.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from itertools import zip_longest
from typing import Literal

from gittrack.core.ids import RunId
from gittrack.core.names import display
from gittrack.errors import UsageError
from gittrack.frozen import dataclass

RuleKind = Literal["all", "none", "last", "best", "tagged"]

_COUNTED = re.compile(r"(last|best):([0-9]{1,9})(?:\s+by\s+(?:(lowest|highest)\s+)?(\S.*))?")
_TAGGED = re.compile(r"tagged(?::([^=]+)(?:=(.*))?)?")
_HINT = "a rule is one of: all, none, last:50, 'best:10 by lowest val_loss', tagged, tagged:KEY, tagged:KEY=VALUE"

_LOWER = frozenset(
    "loss losses error errors err mse rmse mae mape nll perplexity ppl wer cer fid eer brier logloss rmsle".split()
)
_HIGHER = frozenset(
    "acc accuracy auc auroc auprc f1 precision recall score r2 iou miou map bleu rouge reward return dice "
    "specificity sensitivity".split()
)
"""Words of a metric's name that say which end is the better one. Other names must be told."""


@dataclass(frozen=True, slots=True)
class KeepRule:
    """One rule.

    Attributes:
        kind: what it looks at.
        count: how many runs it keeps, for ``last`` and ``best``.
        metric: by whose last value ``best`` ranks.
        lowest: whether a lower value is better.
        key, value: the tag that ``tagged`` asks for; ``""`` and None: any.
    """

    kind: RuleKind
    count: int = 0
    metric: str = ""
    lowest: bool = False
    key: str = ""
    value: str | None = None

    def __str__(self) -> str:
        if self.kind == "best":
            return f"best:{self.count} by {'lowest' if self.lowest else 'highest'} {self.metric}"
        if self.kind == "last":
            return f"last:{self.count}"
        if self.kind == "tagged" and self.key:
            return f"tagged:{self.key}" + ("" if self.value is None else f"={self.value}")
        return self.kind


@dataclass(frozen=True, slots=True)
class Candidate:
    """A run that rules judge: when it began (ms), the last value of its metrics, its tags."""

    id: RunId
    start_time: int
    metrics: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


def parse_rule(text: str) -> KeepRule:
    """Read a rule.

    Raises:
        UsageError: it is none, or does not say which end of a metric is the better one.

    >>> str(parse_rule("best:10 by val_loss"))
    'best:10 by lowest val_loss'
    """
    plain = text.strip()
    if plain in ("all", "none"):
        return KeepRule("all" if plain == "all" else "none")
    if found := _TAGGED.fullmatch(plain):
        return KeepRule("tagged", key=found[1] or "", value=found[2])
    found = _COUNTED.fullmatch(plain)
    if found is None or (found[1] == "best") != bool(found[4]):
        raise UsageError(f"'{display(plain, 80)}' is no rule", hint=_HINT)
    kind, count, end, metric = found[1], int(found[2]), found[3], found[4]
    if kind == "last":
        return KeepRule("last", count)
    lowest = _is_lower_better(metric) if end is None else end == "lowest"
    if lowest is None:
        shown = display(metric, 80)
        text = f"'{display(plain, 80)}' does not say which end of '{shown}' is the better one"
        raise UsageError(text, hint=f"best:{count} by highest {shown}, or: best:{count} by lowest {shown}")
    return KeepRule("best", count, metric, lowest)


def _is_lower_better(metric: str) -> bool | None:
    words = set(re.split(r"[^a-z0-9]+", re.sub(r"([a-z])([A-Z])", r"\1_\2", metric).lower()))
    lower, higher = bool(words & _LOWER), bool(words & _HIGHER)
    return None if lower == higher else lower


def without_values(rules: Sequence[KeepRule], runs: Sequence[Candidate]) -> list[KeepRule]:
    """The rules that rank by a metric of which none of these runs has a value: they keep all of them."""
    return [rule for rule in rules if rule.kind == "best" and not any(_has_metric(run, rule.metric) for run in runs)]


def _has_metric(run: Candidate, metric: str) -> bool:
    return not math.isnan(run.metrics.get(metric, math.nan))


def kept_by(rules: Sequence[KeepRule], runs: Iterable[Candidate]) -> dict[RunId, str]:
    """The runs of one experiment that keep their bytes.

    Args:
        rules: what one of them keeps is kept. One that ranks by a metric which no run has keeps all.
        runs: all runs of the experiment that count, in any order.

    Returns:
        Run -> the first rule that keeps it, as text.
    """
    newest = sorted(runs, key=lambda run: (run.start_time, run.id), reverse=True)
    kept: dict[RunId, str] = {}
    for rule in rules:
        for run in _chosen(rule, newest):
            kept.setdefault(run.id, str(rule))
    return kept


def _chosen(rule: KeepRule, newest: Sequence[Candidate]) -> Sequence[Candidate]:
    if rule.kind == "none":
        return ()
    if rule.kind == "last":
        return newest[: rule.count]
    if rule.kind == "best":
        sign = 1 if rule.lowest else -1
        ranked = [run for run in newest if _has_metric(run, rule.metric)]
        if not ranked:
            return newest  # such a rule says nothing about these runs: a typing mistake must not empty them
        return sorted(ranked, key=lambda run: sign * run.metrics[rule.metric])[: rule.count]  # stable: newest first
    if rule.kind == "tagged":
        return [run for run in newest if _has_tag(run.tags, rule.key, rule.value)]
    return newest


def _has_tag(tags: Mapping[str, str], key: str, value: str | None) -> bool:
    if not key:
        return bool(tags)
    return key in tags and value in (None, tags[key])


_STEP = re.compile(
    r"(?<![A-Za-z])(?:global[_-]?step|steps?|epochs?|ep|iterations?|iters?|checkpoint|ckpt|rounds?|updates?)"
    r"[-_=.:]?(?P<step>[0-9]{1,18})(?![0-9])",
    re.IGNORECASE,
)
_FRACTION = re.compile(r"=-?[0-9]+\.[0-9]+")
"""``val_loss=0.25`` in a name: differs between checkpoints of one kind."""


def parse_checkpoints(text: str) -> int:
    """How many checkpoints of a kind ``last:3`` keeps.

    Raises:
        UsageError: it is not of that form, or keeps none.
    """
    found = re.fullmatch(r"last:([0-9]{1,9})", text.strip())
    if found is None or int(found[1]) == 0:
        raise UsageError(f"'{display(text, 80)}' does not say which checkpoints stay", hint="--checkpoints last:3")
    return int(found[1])


_NUMBER = re.compile(r"[0-9]+")


def numbered_siblings(paths: Iterable[str]) -> list[tuple[str, int]]:
    """Files that look like checkpoints and are none to :func:`superseded`: they differ in numbers not named as steps.

    Returns:
        How each group is called, with ``#`` for the numbers, and how many there are in it.

    >>> numbered_siblings(["weights.09.h5", "weights.10.h5", "step-1.pt", "step-2.pt", "notes2.txt"])
    [('weights.#.h5', 2)]
    """
    groups: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for path in paths:
        plain = _FRACTION.sub("=#", path)
        if not _STEP.search(path) and _NUMBER.search(plain):
            groups.setdefault(tuple(_NUMBER.split(plain)), []).append(tuple(_NUMBER.findall(plain)))
    found = []
    for texts, numbers in groups.items():
        shown = [each[0] if len(set(each)) == 1 else "#" for each in zip(*numbers, strict=True)]
        found.append(("".join(map("".join, zip_longest(texts, shown, fillvalue=""))), len(numbers)))
    return sorted((shape, count) for shape, count in found if count > 1)


def superseded(paths: Iterable[str], count: int) -> list[str]:
    """The checkpoints that later ones of their kind replace.

    Paths that differ only in numbers named as steps (``step-100``, ``epoch=3``, ``checkpoint_500``) are checkpoints of
    one kind; their order is that of the numbers. Any other path is left alone.

    Args:
        paths: of one run's artifacts.
        count: how many of each kind stay.

    Returns:
        Sorted.

    >>> superseded(["ckpt/step-9.pt", "ckpt/step-10.pt", "ckpt/step-11.pt", "model-1.pt"], 2)
    ['ckpt/step-9.pt']
    """
    kinds: dict[str, dict[tuple[int, ...], list[str]]] = {}
    for path in paths:
        steps = tuple(int(found["step"]) for found in _STEP.finditer(path))
        if steps:
            kind = _FRACTION.sub("=#", _STEP.sub(lambda found: found[0][: -len(found["step"])] + "#", path))
            kinds.setdefault(kind, {}).setdefault(steps, []).append(path)
    gone = []
    for by_steps in kinds.values():
        for steps in sorted(by_steps)[:-count]:
            gone += by_steps[steps]
    return sorted(gone)
