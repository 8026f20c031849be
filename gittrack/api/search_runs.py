"""``gittrack.search_runs``: what MLflow's function of this name answers, in its columns."""

from __future__ import annotations

import os
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from operator import index
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, overload

from gittrack.api.saved_run import SavedRun
from gittrack.api.search import Found, Search, search
from gittrack.core.page_token import Page, decode_token, encode_token, fingerprint
from gittrack.core.query.parser import parse_query
from gittrack.core.query.sort_keys import parse_sort_key, sort_key_text
from gittrack.core.query.tree import SortKey
from gittrack.errors import InvalidValueError, MissingDependencyError, UsageError

if TYPE_CHECKING:
    import pandas

    from gittrack.api.project import Project
    from gittrack.core.ids import ExperimentId

Format = Literal["pandas", "list", "arrow"]
_MOST = 1 << 62
"""SQLite counts in 64 bits."""


class PagedList(list[SavedRun]):
    """Runs that a search found.

    Attributes:
        token: what gives the next page, as ``page_token``; None when there is none.
        problems: what could not be read, each in a sentence.
    """

    def __init__(self, runs: Iterable[SavedRun], token: str | None, problems: Sequence[str] = ()) -> None:
        super().__init__(runs)
        self.token = token
        self.problems = tuple(problems)


@overload
def search_runs(
    filter_string: str = ...,
    experiments: str | Sequence[str] | None = ...,
    order_by: str | Sequence[str] | None = ...,
    max_results: int = ...,
    page_token: str | None = ...,
    output_format: Literal["pandas"] = ...,
    *,
    repo: str | os.PathLike[str] | None = ...,
) -> pandas.DataFrame: ...


@overload
def search_runs(
    filter_string: str = ...,
    experiments: str | Sequence[str] | None = ...,
    order_by: str | Sequence[str] | None = ...,
    max_results: int = ...,
    page_token: str | None = ...,
    *,
    output_format: Literal["list"],
    repo: str | os.PathLike[str] | None = ...,
) -> PagedList: ...


@overload
def search_runs(
    filter_string: str = ...,
    experiments: str | Sequence[str] | None = ...,
    order_by: str | Sequence[str] | None = ...,
    max_results: int = ...,
    page_token: str | None = ...,
    *,
    output_format: Literal["arrow"],
    repo: str | os.PathLike[str] | None = ...,
) -> Any: ...


def search_runs(
    filter_string: str = "",
    experiments: str | Sequence[str] | None = None,
    order_by: str | Sequence[str] | None = None,
    max_results: int = 1000,
    page_token: str | None = None,
    output_format: Format = "pandas",
    *,
    repo: str | os.PathLike[str] | None = None,
) -> pandas.DataFrame | PagedList | Any:
    """Find runs by a query.

    Args:
        filter_string: a query; all runs when it is empty. Deleted runs are left out unless it asks for ``deleted``.
        experiments: names or ids of experiments, or one of them; all when None.
        order_by: keys such as ``metrics.acc DESC`` or ``-metrics.acc``, or one; then, and without any, newest first.
            NaN comes after all numbers, and after these the runs that have no such value.
        max_results: at most so many runs.
        page_token: where the page before this one ended: its ``token``, or ``attrs["page_token"]``. Runs that arrive
            meanwhile move no other.
        output_format: ``pandas``: a DataFrame with MLflow's columns; ``list``: a list of :class:`SavedRun` with a
            ``token``; ``arrow``: a ``pyarrow.Table`` with the columns of the DataFrame.
        repo: a directory in the repository; the working directory when None.

    Raises:
        QuerySyntaxError: the query or a key.
        UsageError: the token is none, or of another search.
        InvalidValueError: ``max_results`` is no positive integer; another argument is no text.
        ExperimentNotFoundError, AmbiguousError: an experiment.
        MissingDependencyError: pandas or pyarrow is not installed.
        NotARepositoryError: there is no repository.

    Example:
        >>> gittrack.search_runs("metrics.acc > 0.9", order_by="metrics.acc DESC")  # doctest: +SKIP
    """
    if output_format not in ("pandas", "list", "arrow"):
        text = f"there is no output format '{str(output_format)[:40]}'"
        raise UsageError(text, hint="one of 'pandas', 'list', 'arrow'")
    most = _whole(max_results)
    library = None if output_format == "list" else _library("pandas" if output_format == "pandas" else "pyarrow")
    from gittrack.api.read import _recovered

    project = _recovered(repo)
    page = _page(
        project,
        _Asked.of(project, _text("filter_string", filter_string, "'metrics.acc > 0.9'"), experiments, order_by),
        most,
        page_token,
    )
    if library is None:
        return page
    from gittrack.api import run_frames

    return run_frames.frame(library, page) if output_format == "pandas" else run_frames.table(library, page)


def _whole(number: Any) -> int:
    """A number of results; those of NumPy are numbers too."""
    try:
        most = 0 if isinstance(number, bool) else index(number)
    except TypeError:
        most = 0
    if most < 1:
        raise InvalidValueError(f"max_results is {number!r:.40}, not 1 or more", hint="max_results=1000")
    return min(most, _MOST)


def _text(name: str, given: Any, example: str) -> str:
    """An argument that is a text; nothing when it is None."""
    if given is None:
        return ""
    if not isinstance(given, str):
        raise InvalidValueError(f"{name} is {reprlib.repr(given):.40}, no text", hint=f"{name}={example}")
    return given


def _texts(name: str, given: Any, example: str) -> list[str]:
    """An argument that is a text or several."""
    several = [given] if given is None or isinstance(given, str) else given
    if not isinstance(several, Iterable) or isinstance(several, Mapping | bytes):
        raise InvalidValueError(
            f"{name} is {reprlib.repr(given):.40}, neither a text nor a list", hint=f"{name}={example}"
        )
    return [_text(name, each, example) for each in several if each is not None]


def _library(name: str) -> Any:
    from importlib import import_module

    try:
        return import_module(name)
    except ImportError as error:
        hint = "pip install 'gittrack[pandas]'" if name == "pandas" else f"pip install {name}"
        raise MissingDependencyError(f"{name} is not installed", hint=f"{hint}, or output_format='list'") from error


class _Asked(NamedTuple):
    """A search as it was asked for; relative times are still relative."""

    query: str
    order: tuple[SortKey, ...]
    experiments: list[ExperimentId] | None

    @classmethod
    def of(
        cls,
        project: Project,
        query: str,
        experiments: str | Sequence[str] | None,
        order_by: str | Sequence[str] | None,
    ) -> _Asked:
        order = tuple(map(parse_sort_key, _texts("order_by", order_by, "['metrics.acc DESC']")))
        return cls(query, order, _experiment_ids(project, experiments))

    @property
    def fingerprint(self) -> str:
        order = [sort_key_text(key) for key in self.order]
        every = ["all"] if self.experiments is None else ["some", *sorted(set(self.experiments))]
        return fingerprint([self.query.strip(), *order, *every])


def _experiment_ids(project: Project, experiments: str | Sequence[str] | None) -> list[ExperimentId] | None:
    if experiments is None:
        return None
    from gittrack.api.experiments import find_among, list_experiments

    known = list_experiments(project)
    return [find_among(known, each).id for each in _texts("experiments", experiments, "['churn']")]


def _page(project: Project, asked: _Asked, most: int, token: str | None) -> PagedList:
    before = (
        None
        if token is None
        else decode_token(_text("page_token", token, "runs.token"), asked.fingerprint, keys=len(asked.order))
    )
    now = project.now() if before is None else before.asked_at
    found: Found = search(
        project,
        Search(
            expression=parse_query(asked.query, now=now),
            order=asked.order,
            limit=most,
            after=None if before is None else before.position,
            experiments=asked.experiments,
        ),
    )
    following = None if found.last is None else encode_token(Page(now, found.last), asked.fingerprint)
    return PagedList(found.runs, following, [f"{each.where}: {each.reason}" for each in found.problems])
