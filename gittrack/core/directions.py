"""Which way a metric gets better: as the project says, or as its name usually means."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum
from fnmatch import fnmatchcase

from gittrack.core.names import display
from gittrack.errors import UsageError
from gittrack.frozen import dataclass


class Direction(str, Enum):
    """Which values of a metric are better."""

    UP = "maximize"
    DOWN = "minimize"
    UNKNOWN = "unknown"

    @property
    def mark(self) -> str:
        """One character: ``↑``, ``↓`` or ``?``."""
        return {"maximize": "↑", "minimize": "↓", "unknown": "?"}[self.value]

    @property
    def sign(self) -> int:
        """What makes higher better when multiplied: -1 for what is minimized, else 1."""
        return -1 if self is Direction.DOWN else 1


_UP = frozenset(
    (
        "acc accuracy auc auroc aucroc rocauc auprc prauc aucpr ap map mrr ndcg dcg f f1 f2 fbeta precision recall "
        "sensitivity specificity tp tn tpr tnr ppv npv iou miou dice jaccard bleu sacrebleu rouge rougel meteor cider "
        "spice chrf comet bertscore r2 rsq rsquared explained psnr ssim msssim kappa mcc matthews correlation corr "
        "pearson spearman kendall likelihood loglik elbo reward rewards return returns win wins winrate success "
        "throughput fps qps rps speedup similarity purity homogeneity completeness silhouette nmi ami ari lift gain "
        "gini coverage uptime mfu hfu utilization utilisation efficiency exact correct solved bandwidth"
    ).split()
)
_DOWN = frozenset(
    (
        "loss losses logloss error errors err perplexity ppl bpc bpb bpd mse rmse mae mape smape mase rmsle msle "
        "nrmse medae maxae wape rae rse crps pinball hinge huber nll bce crossentropy entropyloss divergence kl kld "
        "distance fid kid lpips brier ece regret cost costs latency latencies duration runtime time seconds wer cer "
        "ter der eer fp fn fpr fnr fdr deviance aic bic residual residuals misclassification violations failures "
        "timeouts penalty hausdorff hd95 chamfer epe ade fde"
    ).split()
)
_WEAK_UP = frozenset({"score", "scores", "f1score", "fscore"})
"""Words that say something only when no other word of the name does: a ``brier_score`` is minimized."""
_TIMES = frozenset("s sec secs second seconds min minute minutes hour hours".split())
_SHORT_TIMES = _TIMES | frozenset("ms us ns time millis milliseconds".split())
_WORD = re.compile(r"[A-Z]+(?![a-z])\d*|[A-Z]?[a-z]+\d*|\d+|[^\W\d_a-zA-Z]+")
_TOKEN = re.compile(r"[^\W_]+")
_SYSTEM = "system/"


def usual_direction(name: str) -> Direction:
    """What the words of a metric's name usually mean, those of its last part between slashes.

    ``neg`` and ``negative`` turn it around, as in scikit-learn's ``neg_log_loss``. Words that disagree, and metrics
    of the machine (``system/…``), say nothing.

    >>> [usual_direction(name).mark for name in ("val/loss", "val_acc", "lossVal", "neg_mean_squared_error", "lr")]
    ['↓', '↑', '↓', '↑', '?']
    """
    if name.startswith(_SYSTEM):
        return Direction.UNKNOWN
    words = _words(name[-1000:].rstrip("/").rpartition("/")[2])
    said = _of_phrase(words)
    if said is not None:
        return said
    found = {direction for word in words for direction in _of_word(word)}
    if not found and _WEAK_UP.intersection(words):
        found = {Direction.UP}
    if len(found) != 1:
        return Direction.UNKNOWN
    direction = found.pop()
    if sum(word in ("neg", "negative") for word in words) % 2:
        return Direction.DOWN if direction is Direction.UP else Direction.UP
    return direction


def _words(text: str) -> list[str]:
    """The words of a name in lower case: what signs and capitals part, but for words written like ``mIoU``."""
    words: list[str] = []
    for token in _TOKEN.findall(text):
        whole = token.lower()
        words += [whole] if _of_word(whole) else [word.lower() for word in _WORD.findall(token)]
    return words


def _of_phrase(words: Sequence[str]) -> Direction | None:
    """What words mean together: ``false positive``, ``log likelihood``, ``tokens per second``, ``ms per step``."""
    joined = " ".join(words)
    if re.search(r"\bfalse (?:positive|negative|discovery|alarm)", joined):
        return Direction.DOWN
    if re.search(r"\btrue (?:positive|negative)", joined):
        return Direction.UP
    if re.search(r"\bcross entropy\b", joined):
        return Direction.DOWN
    if "per" in words[1:-1]:
        place = words.index("per", 1)
        if words[place - 1] in _SHORT_TIMES:
            return Direction.DOWN
        # Errors per second are no throughput: what is counted decides first.
        if words[place + 1] in _TIMES and not any(_of_word(word) for word in words[:place]):
            return Direction.UP
    return None


def _of_word(word: str) -> tuple[Direction, ...]:
    bare = word.rstrip("0123456789")
    if word in _UP or bare in _UP:
        return (Direction.UP,)
    return (Direction.DOWN,) if word in _DOWN or bare in _DOWN else ()


@dataclass(frozen=True, slots=True)
class Directions:
    """What a project says of its metrics.

    Attributes:
        maximize, minimize: names of metrics, or patterns with ``*``, ``?`` and ``[…]``: ``val/*_score``. A name wins
            over a pattern, and what stands here wins over what a name usually means.
    """

    maximize: tuple[str, ...] = ()
    minimize: tuple[str, ...] = ()

    def of(self, name: str) -> Direction:
        """Which way a metric gets better; unknown when both lists have it."""
        if not self.maximize and not self.minimize:
            return usual_direction(name)
        up, down = name in self.maximize, name in self.minimize
        if not up and not down:
            up = any(fnmatchcase(name, pattern) for pattern in self.maximize)
            down = any(fnmatchcase(name, pattern) for pattern in self.minimize)
        if up and down:
            return Direction.UNKNOWN
        return Direction.UP if up else Direction.DOWN if down else usual_direction(name)

    def over(self, other: Directions) -> Directions:
        """These, and where they say nothing of a name, those of ``other``."""
        mine = {*self.maximize, *self.minimize}
        return Directions(
            (*self.maximize, *(name for name in other.maximize if name not in mine)),
            (*self.minimize, *(name for name in other.minimize if name not in mine)),
        )


def asked_directions(maximize: str | Sequence[str], minimize: str | Sequence[str]) -> Directions:
    """What somebody says of metrics for once: names and patterns, ``metrics.`` before them and backticks as in a query.

    Raises:
        UsageError: one stands in both lists, or is no text.

    >>> asked_directions(["metrics.acc", "`val/*`"], ["size"])
    Directions(maximize=('acc', 'val/*'), minimize=('size',))
    """
    lists = [[names] if isinstance(names, str) else names for names in (maximize, minimize)]
    said = Directions(*(tuple(map(_bare_name, names)) for names in lists))
    both = sorted(set(said.maximize) & set(said.minimize))
    if both:
        text = f"'{display(both[0], 60)}' is both to be maximized and to be minimized"
        raise UsageError(text, hint="gittrack compare … --maximize NAME, or --minimize NAME")
    return said


def _bare_name(name: str) -> str:
    if not isinstance(name, str):
        raise UsageError(f"the name of a metric is {type(name).__name__}, not a text", hint='maximize=["acc"]')
    bare = name.removeprefix("metrics.").removeprefix("metric.") if "." in name else name
    return bare[1:-1] if len(bare) > 2 and bare[0] == bare[-1] == "`" else bare
