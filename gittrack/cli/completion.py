"""What could follow on a command line: commands, options and their values.

Click knows the commands and their options; what the value of one could be follows from its metavar. Names that a shell
would not take as they are are never offered: whoever chose them could otherwise have our completion write something
else onto a command line. Runs of such names are offered by their ids.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal

import click
from click.shell_completion import CompletionItem, _is_incomplete_option, _resolve_context, _resolve_incomplete

from gittrack.api.completions import is_word
from gittrack.core.names import display
from gittrack.frozen import dataclass

if TYPE_CHECKING:
    from gittrack.api.completions import KnownWords, Word

Kind = Literal["runs", "experiments", "metrics", "params", "tags", "fields", "query", "artifacts", "views", "basis"]

_FILES = ("FILE", "COMMAND", "DIR")
_KINDS: dict[str, Kind] = {"RUN": "runs", "EXP": "experiments", "METRIC": "metrics", "QUERY": "query", "WHAT": "basis"}
"""First word of a metavar -> what it stands for."""
_BY_NAME: dict[str, Kind] = {
    **dict.fromkeys(("sort", "columns", "by", "group_by", "score"), "fields"),
    **dict.fromkeys(("metrics",), "metrics"),
    **dict.fromkeys(("tags", "pairs", "removed"), "tags"),
    "params": "params",
    "query": "query",
    "basis": "basis",
}
"""Name of a parameter whose metavar does not tell -> what it stands for."""
_PATHS_OF_RUNS = frozenset({"ls", "show", "get", "cat", "rm"})
_LAST_NAME = re.compile(r"(?:^|(?<=[\s(,=<>!+*/-]))[A-Za-z_][\w.]*(?:[/@:-][\w.]+)*[/@:-]?$")
_KEYWORDS = ("and", "between", "has", "ilike", "in", "is", "like", "not", "or")
_SCOPES = ("metrics.", "params.", "tags.", "summary.", "data.", "inputs.", "artifacts.")
_HELP_CELLS = 60
_ADDED = re.compile(r"[\w./,:@+=-]*")


@dataclass(frozen=True, slots=True)
class Offer:
    """What could stand in place of a word.

    Attributes:
        words: each begins with what is there already; with what it is, in one line.
        goes_on: more may follow within the same word: no blank is to be put behind it.
        files: names of files could stand there too.
    """

    words: tuple[tuple[str, str], ...] = ()
    goes_on: bool = False
    files: bool = False


def offer(before: Sequence[str], beginning: str) -> Offer:
    """What could stand at a place of a command line.

    Args:
        before: the words before it, without the program.
        beginning: what is there of the word.
    """
    from gittrack.cli.main import cli

    context = _resolve_context(cli, {}, "gittrack", list(before))
    # An option and its value may be one word; what comes out stands in place of that word then.
    kept = beginning[: beginning.index("=") + 1] if beginning.startswith("--") and "=" in beginning else ""
    found, rest = _meant(context, list(before), beginning)
    if isinstance(found, click.Parameter):
        answer = _of_parameter(context, found, rest)
    else:
        answer = _of_command(found, context, rest)
    safe = tuple((kept + word, _told(about)) for word, about in answer.words if _is_safe(word, rest))
    return Offer(safe, answer.goes_on, answer.files)


def _meant(context: click.Context, before: list[str], beginning: str) -> tuple[click.Command | click.Parameter, str]:
    """What a word is about, and its beginning; a value may begin with a dash, as sort keys do."""
    if beginning.startswith("-") and "=" not in beginning:
        for parameter in context.command.get_params(context):
            if _is_incomplete_option(context, before, parameter):
                return parameter, beginning
    return _resolve_incomplete(context, before, beginning)


def _is_safe(word: str, typed: str) -> bool:
    """Whether a shell takes what would be added as it is: what is typed already may hold blanks and quotes."""
    if not typed:
        return is_word(word.removeprefix("@").removesuffix("="))
    return word == typed or (word.startswith(typed) and _ADDED.fullmatch(word[len(typed) :]) is not None)


def _told(about: str | None) -> str:
    return display(about or "", _HELP_CELLS)


def _of_command(command: click.Command, context: click.Context, beginning: str) -> Offer:
    from gittrack.cli.main import COMMANDS, LazyGroup

    if isinstance(command, LazyGroup) and not beginning.startswith("-"):  # no command is loaded for its help text
        return Offer(tuple((name, text) for name, (_, text) in COMMANDS.items() if name.startswith(beginning)))
    return Offer(tuple(_pairs(command.shell_complete(context, beginning))))


def _pairs(items: Iterable[CompletionItem]) -> Iterator[tuple[str, str]]:
    for item in items:
        if item.type == "plain":
            yield item.value, item.help or ""


def _of_parameter(context: click.Context, parameter: click.Parameter, beginning: str) -> Offer:
    metavar = re.sub(r"[\[\].…]", "", parameter.metavar or "")
    first = re.split(r"[\s|=]", metavar, maxsplit=1)[0]
    if first in _FILES or isinstance(parameter.type, click.Path | click.File):
        return Offer(files=True)
    if context.command.name == "completion":
        return Offer(tuple((shell, "") for shell in metavar.split("|") if shell.startswith(beginning)))
    if first == "PATH" and context.command.name in _PATHS_OF_RUNS and "run" in context.params:
        return _named("artifacts", context, beginning)
    if first == "PATH":
        return Offer(files=True)
    if isinstance(parameter.type, click.Choice):
        return Offer(tuple(_pairs(parameter.type.shell_complete(context, parameter, beginning))))
    parent = context.parent.command.name if context.parent else ""
    if parent == "views" and parameter.name == "name":
        return _named("views", context, beginning)
    kind = _KINDS.get(first) or _BY_NAME.get(parameter.name or "")
    if kind is None:
        return Offer()
    pairs = first == "KEY" and "=" in metavar
    answer = _named(kind, context, beginning)
    if not pairs:
        return answer
    return Offer(tuple((f"{word}=", about) for word, about in answer.words), goes_on=True)


def _named(kind: Kind, context: click.Context, beginning: str) -> Offer:
    from gittrack.api.completions import KnownWords
    from gittrack.api.project import Project

    known = KnownWords(Project.open(context.find_root().params.get("directory")))
    if kind == "query":
        return _of_query(known, beginning)
    if kind in ("fields", "basis"):
        start = max(beginning.rfind(each) for each in ",+") + 1
        start += beginning[start:].startswith("-")
        return _moved(beginning[:start], _fields(known, beginning[start:], basis=kind == "basis"))
    if kind == "runs":
        deleted = context.command.name == "restore"
        return Offer((*known.runs(beginning, deleted=deleted), *_latest(beginning)))
    if kind == "metrics":
        return _metrics(known, beginning)
    return Offer(tuple(_names(known, kind, context, beginning)))


def _names(known: KnownWords, kind: Kind, context: click.Context, beginning: str) -> list[Word]:
    if kind == "experiments":
        return known.experiments(beginning)
    if kind == "views":
        return known.views(beginning)
    if kind == "artifacts":
        return known.artifacts(str(context.params["run"]), beginning)
    return known.names(kind, beginning)


def _latest(beginning: str) -> Iterator[tuple[str, str]]:
    told = {"@latest": "the newest run", "@-2": "the one before it"}
    # Shown where nothing else was begun only after the names: most people look for one of them.
    return ((word, about) for word, about in told.items() if word.startswith(beginning))


def _metrics(known: KnownWords, beginning: str) -> Offer:
    if beginning.startswith("summary."):
        return _fields(known, beginning)
    return Offer(tuple(known.names("metrics", beginning)))


def _of_query(known: KnownWords, beginning: str) -> Offer:
    """The last name of a query, or a view."""
    if beginning.startswith("@"):
        return Offer(tuple((f"@{name}", about) for name, about in known.views(beginning[1:])))
    if beginning.count("'") % 2 or beginning.count('"') % 2 or beginning.count("`") % 2:
        return Offer(goes_on=True)  # a text is being written
    found = _LAST_NAME.search(beginning)
    start = found.start() if found else len(beginning)
    answer = _fields(known, beginning[start:])
    words = list(answer.words)
    if "." not in beginning[start:]:
        words += [(each, "") for each in _KEYWORDS if start and each.startswith(beginning[start:])]
        if not beginning:
            words += [(f"@{name}", about) for name, about in known.views("")]
    if len(words) == 1 and words[0][0].endswith("."):  # the only scope: its names at once
        words = list(_fields(known, words[0][0]).words)
    return _moved(beginning[:start], Offer(tuple(words), goes_on=True))


def _fields(known: KnownWords, beginning: str, *, basis: bool = False) -> Offer:
    """Fields of the language that begin so."""
    from gittrack.core.query.fields import ATTRIBUTES, METRIC_PARTS, SCOPES, SUMMARY
    from gittrack.core.query.tree import Field
    from gittrack.core.query.unparse import field_text

    first, dot, rest = beginning.partition(".")
    scope = SCOPES.get(first.lower())
    if dot and scope in ("metrics", "params", "tags"):
        names = [name for name, _ in known.names(scope, rest) if "`" not in field_text(Field(scope, name))]
        return Offer(tuple((f"{first}.{name}", "") for name in names), goes_on=True)
    if dot and first.lower() == SUMMARY:
        key, part_dot, part = rest.rpartition(".")
        if part_dot and key in {name for name, _ in known.names("metrics", key)}:
            return Offer(tuple((f"{first}.{key}.{each}", "") for each in METRIC_PARTS if each.startswith(part)))
        return Offer(tuple((f"{first}.{name}.", "") for name, _ in known.names("metrics", rest)), goes_on=True)
    if basis:
        words = [(each, "") for each in ("params", "metrics", "code", "data") if each.startswith(beginning)]
        return Offer((*words, *known.names("params", beginning)), goes_on=True)
    attributes = [(each, "attribute") for each in ATTRIBUTES if each.startswith(beginning)]
    return Offer((*((each, "") for each in _SCOPES if each.startswith(beginning)), *attributes), goes_on=True)


def _moved(before: str, answer: Offer) -> Offer:
    return Offer(tuple((before + word, about) for word, about in answer.words), answer.goes_on, answer.files)
