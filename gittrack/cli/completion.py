"""What could follow on a command line: commands, options and their values.

Click knows the commands and their options; what the value of one could be follows from its metavar. Names that a shell
would not take as they are are never offered: whoever chose them could otherwise have our completion write something
else onto a command line. Runs of such names are offered by their ids.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import click
from click.shell_completion import CompletionItem, _is_incomplete_option, _resolve_context, _resolve_incomplete

from gittrack.api.completions import is_word
from gittrack.core.names import display
from gittrack.core.value_text import exact_text
from gittrack.errors import QuerySyntaxError
from gittrack.frozen import dataclass

if TYPE_CHECKING:
    from gittrack.api.completions import KnownWords, Word
    from gittrack.core.query.tree import Scope

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
_FIELD = r"[A-Za-z_][\w.]*(?:[/@:-][\w.]+)*"
_VALUE = re.compile(
    rf"(?:^|(?<=[\s(]))({_FIELD})\s*(?:==?|!=|<>|(?:not\s+)?in\s*\((?:[^()]*,)?)\s*(['\"]?)([^'\"]*)$", re.IGNORECASE
)
"""A field, an operator, and the beginning of a value with or without its quote."""
_LAST_NAME = re.compile(r"(?:^|(?<=[\s(,=<>!+*/-]))[A-Za-z_][\w.]*(?:[/@:-][\w.]+)*[/@:-]?$")
_KEYWORDS = ("and", "between", "has", "ilike", "in", "is", "like", "not", "or")
_SCOPES = ("metrics.", "params.", "tags.", "summary.", "data.", "inputs.", "artifacts.")
_HELP_CELLS = 60
_ADDED = re.compile(r"[\w./,:@+=-]*")
_ADDED_TEXT = re.compile(r"[\w ./,:@+=-]*")
"""The same within quotes of the shell and of the query."""
_ID = re.compile(r"[0-9a-f]{8,32}")


@dataclass(frozen=True, slots=True)
class Offer:
    """What could stand in place of a word.

    Attributes:
        words: each begins with what is there already; with what it is, in one line.
        instead: ids of runs whose name is there already, or its beginning, and does not do.
        quote: what words may have around their end: they are values.
        goes_on: more may follow within the same word: no blank is to be put behind it.
        files: names of files could stand there too.
    """

    words: tuple[tuple[str, str], ...] = ()
    instead: tuple[tuple[str, str], ...] = ()
    quote: str = ""
    goes_on: bool = False
    files: bool = False


def offer(before: Sequence[str], beginning: str, quote: str = "'") -> Offer:
    """What could stand at a place of a command line.

    Args:
        before: the words before it, without the program.
        beginning: what is there of the word.
        quote: what texts in queries may be quoted by; ``""``: they cannot.
    """
    from gittrack.cli.main import cli

    context = _resolve_context(cli, {}, "gittrack", list(before))
    # An option and its value may be one word; what comes out stands in place of that word then.
    kept = beginning[: beginning.index("=") + 1] if beginning.startswith("--") and "=" in beginning else ""
    found, rest = _meant(context, list(before), beginning)
    if isinstance(found, click.Parameter):
        answer = _of_parameter(context, found, rest, quote)
    else:
        answer = _of_command(found, context, rest)
    safe = tuple((kept + word, _told(about)) for word, about in answer.words if _is_safe(word, rest, answer.quote))
    ids = tuple((kept + word, _told(about)) for word, about in answer.instead if _ID.fullmatch(word))
    return replace(answer, words=safe, instead=ids)


def _meant(context: click.Context, before: list[str], beginning: str) -> tuple[click.Command | click.Parameter, str]:
    """What a word is about, and its beginning; a value may begin with a dash, as sort keys do."""
    if beginning.startswith("-") and "=" not in beginning:
        for parameter in context.command.get_params(context):
            if _is_incomplete_option(context, before, parameter):
                return parameter, beginning
    return _resolve_incomplete(context, before, beginning)


def _is_safe(word: str, typed: str, quote: str) -> bool:
    """Whether a shell takes what would be added as it is: what is typed already may hold blanks and quotes."""
    if not typed:
        return is_word(word.removeprefix("@").removesuffix("="))
    if quote and word.startswith(typed):  # of the two kinds of quotes it is the one that the shell does not heed here
        added = word[len(typed) :].removeprefix(quote).removesuffix(quote)
        return _ADDED_TEXT.fullmatch(added) is not None
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


def _of_parameter(context: click.Context, parameter: click.Parameter, beginning: str, quote: str) -> Offer:
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
    answer = _named(kind, context, beginning, quote)
    if not pairs:
        return answer
    return Offer(tuple((f"{word}=", about) for word, about in answer.words), goes_on=True)


def _named(kind: Kind, context: click.Context, beginning: str, quote: str = "") -> Offer:
    from gittrack.api.completions import KnownWords
    from gittrack.api.project import Project

    known = KnownWords(Project.open(context.find_root().params.get("directory")))
    if kind == "query":
        return _of_query(known, beginning, quote)
    if kind in ("fields", "basis"):
        start = max(beginning.rfind(each) for each in ",+") + 1
        start += beginning[start:].startswith("-")
        return _moved(beginning[:start], _fields(known, beginning[start:], basis=kind == "basis"))
    if kind == "runs":
        deleted = context.command.name == "restore"
        runs = known.runs(beginning, deleted=deleted)
        instead = tuple(run for run in runs if not run.text.startswith(beginning))
        return Offer((*(run for run in runs if run not in instead), *_latest(beginning)), instead)
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


def _of_query(known: KnownWords, beginning: str, quote: str) -> Offer:
    """The last name or value of a query, or a view."""
    if beginning.startswith("@"):
        return Offer(tuple((f"@{name}", about) for name, about in known.views(beginning[1:])))
    values = _values(known, beginning, quote)
    if values is not None:
        return values
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


def _values(known: KnownWords, beginning: str, quote: str) -> Offer | None:
    """What a field could equal; None where no value stands, or nobody knows one."""
    from gittrack.core.query.parser import parse_field

    found = _VALUE.search(beginning)
    if found is None or (found[3] and not found[2] and not found[3][0].isdigit()):
        return None
    is_open = {mark: beginning.count(mark) % 2 == 1 for mark in "'\""}
    if is_open != {mark: mark == found[2] for mark in "'\""}:
        return None  # all of it stands in another text
    try:
        field = parse_field(found[1])
    except QuerySyntaxError:
        return None
    before, mark, words = beginning[: found.start(3)], found[2], []
    for value in known.values(field, found[3]):
        text = exact_text(value)
        if isinstance(value, str) and (mark or (quote and not found[3])) and is_word(text.replace(" ", "_")):
            words.append(f"{before}{'' if mark else quote}{text}{mark or quote}")
        elif not isinstance(value, str) and not mark:
            words.append(before + (text.lower() if isinstance(value, bool) else text))
    return Offer(tuple((word, "") for word in words), quote=mark or quote) if words else None


def _fields(known: KnownWords, beginning: str, *, basis: bool = False) -> Offer:
    """Fields of the language that begin so."""
    from gittrack.core.query.fields import ATTRIBUTES, METRIC_PARTS, PARTS, SCOPES, SUMMARY
    from gittrack.core.query.reserved_tags import RESERVED_TAGS
    from gittrack.core.query.tree import Field
    from gittrack.core.query.unparse import field_text

    first, dot, rest = beginning.partition(".")
    scope = SCOPES.get(first.lower())
    if dot and scope in ("metrics", "params", "tags"):
        known_names = [name for name, _ in known.names(scope, rest)]
        if scope == "tags" and rest:
            known_names = sorted({*known_names, *(tag for tag in RESERVED_TAGS if tag.startswith(rest))})
        names = [name for name in known_names if "`" not in field_text(Field(scope, name))]
        return Offer(tuple((f"{first}.{name}", "") for name in names), goes_on=True)
    if dot and first.lower() == SUMMARY:
        key, part_dot, part = rest.rpartition(".")
        if part_dot and key in {name for name, _ in known.names("metrics", key)}:
            return Offer(tuple((f"{first}.{key}.{each}", "") for each in METRIC_PARTS if each.startswith(part)))
        return Offer(tuple((f"{first}.{name}.", "") for name, _ in known.names("metrics", rest)), goes_on=True)
    if dot and scope is not None and scope in PARTS:
        return _parts(known, scope, first, rest)
    if basis:
        words = [(each, "") for each in ("params", "metrics", "code", "data") if each.startswith(beginning)]
        return Offer((*words, *known.names("params", beginning)), goes_on=True)
    attributes = [(each, "attribute") for each in ATTRIBUTES if each.startswith(beginning)]
    return Offer((*((each, "") for each in _SCOPES if each.startswith(beginning)), *attributes), goes_on=True)


def _parts(known: KnownWords, scope: Scope, first: str, rest: str) -> Offer:
    """What of the data, an input or an artifact."""
    from gittrack.core.query.fields import PARTS
    from gittrack.core.query.tree import Field
    from gittrack.core.query.unparse import field_text

    role, dot, part = rest.rpartition(".")
    if scope == "data" and (not dot or role not in {name for name, _ in known.roles(role)}):
        roles = [name for name, _ in known.roles(rest) if "`" not in field_text(Field("data", name, "hash"))]
        return Offer(tuple((f"{first}.{role}.", "") for role in roles), goes_on=True)
    if scope != "data" and dot:
        return Offer()
    before = f"{first}.{role}." if dot else f"{first}."
    return Offer(tuple((before + each, "") for each in PARTS[scope] if each.startswith(part)), goes_on=True)


def _moved(before: str, answer: Offer) -> Offer:
    return replace(answer, words=tuple((before + word, about) for word, about in answer.words))
