"""Write ``docs/cli.md``, ``man/gittrack.1`` and ``man/git-track.1`` from the commands themselves.

Usage: ``python tools/make_docs.py`` writes them; with ``--check`` nothing is written, and the exit code is 1 when a
file is not what the commands say. The pages are made from names, types and help texts, not from click's own help
output, whose layout changes between versions of click.
"""

from __future__ import annotations

import inspect
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parent.parent

SUMMARY = "experiment tracking in git: every run is a commit"
DESCRIPTION = (
    (
        "gittrack records machine-learning runs in the git repository around the working directory. A run is one "
        "commit: its first parent is the code that ran, its tree holds parameters, metrics and artifacts. The branch, "
        "the index, the stash and the work tree are never touched."
    ),
    "Both spellings work: 'gittrack ls' and 'git track ls'.",
)
ADDRESSING = (
    ("a unique prefix of its id", "3f9c2e"),
    ("its name", "brave-otter"),
    ("counting from the latest", "@latest, @-2"),
    ("a git revision that is a run", "runs/inbox/3f9c2e…"),
)
EXIT_CODES = (
    ("0", "done"),
    ("1", "failed"),
    ("2", "wrong usage"),
    ("3", "not found, or ambiguous"),
    ("4", "sign-in needed: the remote did not take the credentials, or has none"),
    ("5", "conflict: somebody else changed it first, or a process is writing it"),
    ("6", "stored data is damaged, or was written by a newer gittrack"),
    ("130", "interrupted"),
)
RUN_EXIT_CODE = (
    "'gittrack run' ends with the exit code of the command it ran; 127 when there is no such command, 126 when it "
    "cannot be executed."
)
TERMINAL = (
    "On a terminal tables are cut to its width, and what is longer than its height is shown by a pager. Anywhere else "
    "(a pipe, a file) nothing is cut, painted or paged. Data goes to stdout, messages go to stderr."
)
ENVIRONMENT = (
    ("PAGER", "the pager; 'less' (with LESS=FRX unless LESS is set) when unset, none when empty or 'cat'"),
    ("NO_COLOR", "when it is not empty, nothing is painted"),
    ("TERM", "'dumb' means no colours and no pager"),
    ("COLUMNS, LINES", "the width and height of the terminal, instead of what it says itself"),
    (
        "GIT_EDITOR, VISUAL, EDITOR",
        "the editor of 'gittrack note --edit'; git's core.editor counts too, after GIT_EDITOR",
    ),
    ("GITTRACK_…", "settings, and where the repository is: see docs/api.md"),
)


@dataclass(frozen=True, slots=True)
class Option:
    """One option: its spellings with the metavar, such as ``-e, --experiment NAME``, and its help text."""

    spelling: str
    text: str


@dataclass(frozen=True, slots=True)
class Page:
    """What a command says of itself.

    Attributes:
        path: the words that call it, such as ``gittrack experiments ls``.
        usage: what follows them, such as ``[OPTIONS] RUN``.
        paragraphs: its help text; one that begins with a tab is literal.
        options: its options, hidden ones left out.
        commands: its subcommands, by name.
    """

    path: str
    usage: str
    paragraphs: tuple[str, ...]
    options: tuple[Option, ...]
    commands: tuple[Page, ...]


def read_page(command: click.Command, path: str) -> Page:
    """Read a command and all below it, whatever the version of click."""
    context = click.Context(command, info_name=path)
    commands = []
    if isinstance(command, click.Group):
        for name in sorted(command.list_commands(context)):
            child = command.get_command(context, name)
            if child is not None and not child.hidden:
                commands.append(read_page(child, f"{path} {name}"))
    shown = [each for each in command.params if isinstance(each, click.Option) and not each.hidden]
    return Page(path, _usage(command), _paragraphs(command.help or ""), tuple(map(_option, shown)), tuple(commands))


def _usage(command: click.Command) -> str:
    words = ["[OPTIONS]"]
    for argument in (each for each in command.params if isinstance(each, click.Argument)):
        word = argument.metavar or (argument.name or "").upper()
        if argument.metavar is None:
            word = f"{word}…" if argument.nargs != 1 else word
            word = word if argument.required else f"[{word}]"
        words.append(word)
    if isinstance(command, click.Group):
        words.append("COMMAND [ARGS]…")
    return " ".join(words)


def _paragraphs(text: str) -> tuple[str, ...]:
    kept = inspect.cleandoc(text.partition("\f")[0])
    paragraphs = []
    for block in filter(None, (part.strip("\n") for part in kept.split("\n\n"))):
        if block.startswith("\b"):  # click's mark for a block whose line breaks stay
            paragraphs.append("\t" + block.removeprefix("\b").strip("\n"))
        else:
            paragraphs.append(" ".join(block.split()))
    return tuple(paragraphs)


def _option(option: click.Option) -> Option:
    metavar = "" if option.is_flag or option.count else f" {option.metavar or _metavar(option.type)}"
    spelling = ", ".join(sorted(option.opts, key=len)) + metavar
    if option.secondary_opts:
        spelling += " / " + ", ".join(option.secondary_opts)
    text = " ".join((option.help or "").split())
    notes = ["required"] if option.required else []
    notes += ["may be repeated"] if option.multiple else []
    return Option(spelling, " ".join(filter(None, [text, f"({', '.join(notes)})" if notes else ""])))


def _metavar(kind: object) -> str:
    if isinstance(kind, click.Choice):
        return "[" + "|".join(map(str, kind.choices)) + "]"
    if isinstance(kind, click.Path | click.File):
        return "PATH"
    if isinstance(kind, click.types.IntParamType):
        return "INTEGER"
    if isinstance(kind, click.types.FloatParamType):
        return "NUMBER"
    return "TEXT"


def walk(page: Page) -> Iterator[Page]:
    """The page and all below it, in the order they are printed."""
    yield page
    for child in page.commands:
        yield from walk(child)


# Markdown ----------------------------------------------------------------------------------------------------------


def render_markdown(root: Page) -> str:
    """The text of ``docs/cli.md``."""
    lines = [
        "# Command reference",
        "",
        "<!-- Made by `make docs` from the commands themselves. A test compares the two. -->",
        "",
        *(line for paragraph in DESCRIPTION for line in (_code_quotes(paragraph), "")),
        "| a run is addressed by | for example |",
        "|---|---|",
        *(f"| {how} | {', '.join(f'`{one}`' for one in example.split(', '))} |" for how, example in ADDRESSING),
        "",
        "| exit code | means |",
        "|---|---|",
        *(f"| {code} | {meaning} |" for code, meaning in EXIT_CODES),
        "",
        _code_quotes(RUN_EXIT_CODE),
        "",
        TERMINAL,
        "",
        "| environment variable | |",
        "|---|---|",
        *(
            f"| {', '.join(f'`{name}`' for name in names.split(', '))} | {_code_quotes(text)} |"
            for names, text in ENVIRONMENT
        ),
        "",
        "| command | what it does |",
        "|---|---|",
    ]
    pages = list(walk(root))
    lines += [f"| [`{page.path}`](#{page.path.replace(' ', '-')}) | {_first_sentence(page)} |" for page in pages[1:]]
    for page in pages:
        lines += ["", *_markdown_section(page)]
    return "\n".join(lines) + "\n"


def _markdown_section(page: Page) -> list[str]:
    lines = [f"## `{page.path}`", "", "```text", f"{page.path} {page.usage}", "```"]
    for paragraph in page.paragraphs:
        literal = paragraph.startswith("\t")
        lines += ["", *(["```text", textwrap.dedent(paragraph[1:]), "```"] if literal else [paragraph])]
    if page.options:
        lines += ["", "| option | |", "|---|---|"]
        lines += [f"| `{_cell(each.spelling)}` | {_cell(each.text)} |" for each in page.options]
    return lines


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _code_quotes(text: str) -> str:
    return text.replace("'", "`")


def _first_sentence(page: Page) -> str:
    return _cell(page.paragraphs[0].partition(". ")[0].rstrip(".")) if page.paragraphs else ""


# Man page ----------------------------------------------------------------------------------------------------------


def render_man(root: Page, version: str) -> str:
    """The text of ``man/gittrack.1``. No date in it: the same commands give the same bytes."""
    lines = [
        f'.TH GITTRACK 1 "" "gittrack {version}" "gittrack manual"',
        ".SH NAME",
        f"gittrack, git\\-track \\- {_roff(SUMMARY)}",
        ".SH SYNOPSIS",
        f".B gittrack\n{_roff(root.usage)}",
        ".PP",
        f".B git track\n{_roff(root.usage)}",
        ".SH DESCRIPTION",
        _roff(DESCRIPTION[0]),
        *(f".PP\n{_roff(paragraph)}" for paragraph in DESCRIPTION[1:]),
        ".SH OPTIONS",
        *_man_options(root),
        ".SH COMMANDS",
    ]
    for page in list(walk(root))[1:]:
        lines += [f".SS {_roff(page.path)} {_roff(page.usage)}", *_man_paragraphs(page), *_man_options(page)]
    lines += [".SH ADDRESSING A RUN"]
    lines += [f".TP\n{_roff(how)}\n{_roff(example)}" for how, example in ADDRESSING]
    lines += [".SH EXIT STATUS"]
    lines += [f".TP\n.B {code}\n{_roff(meaning)}" for code, meaning in EXIT_CODES]
    lines += [f".PP\n{_roff(RUN_EXIT_CODE)}", ".SH ENVIRONMENT", _roff(TERMINAL)]
    lines += [f".TP\n.B {_roff(names)}\n{_roff(text)}" for names, text in ENVIRONMENT]
    lines += [".SH SEE ALSO", ".BR git (1)"]
    return "\n".join(lines) + "\n"


def _man_paragraphs(page: Page) -> Iterator[str]:
    for number, paragraph in enumerate(page.paragraphs):
        if number:
            yield ".PP"
        if paragraph.startswith("\t"):
            yield from (".nf", *(_roff(line) for line in textwrap.dedent(paragraph[1:]).splitlines()), ".fi")
        else:
            yield _roff(paragraph)


def _man_options(page: Page) -> Iterator[str]:
    for option in page.options:
        yield f".TP\n.B {_roff(option.spelling)}\n{_roff(option.text) or chr(92) + '&'}"


def _roff(text: str) -> str:
    """Text that roff prints as it stands: no escape, no request at the start of a line, hyphens that can be copied."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("…", "...")
    return "\\&" + escaped if escaped.startswith((".", "\\(aq")) else escaped


# Files -------------------------------------------------------------------------------------------------------------


def render_all(root: Page, version: str) -> dict[str, str]:
    """Every generated file: path in the project -> text."""
    return {
        "docs/cli.md": render_markdown(root),
        "man/gittrack.1": render_man(root, version),
        # `git track --help` looks for git-track; both names are one page.
        "man/git-track.1": ".so man1/gittrack.1\n",
    }


def bring_up_to_date(files: dict[str, str], directory: Path, *, check: bool) -> list[str]:
    """Write the files that differ, or with ``check`` only name them.

    Returns:
        The paths, in the project, of the files that differed.
    """
    differing = []
    for name, text in files.items():
        path = directory / name
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        differing.append(name)
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return differing


def main(arguments: list[str]) -> int:
    """Write the files, or check them; the exit code."""
    sys.path.insert(0, str(ROOT))
    from gittrack._version import __version__
    from gittrack.cli.main import cli

    check = arguments == ["--check"]
    if arguments and not check:
        print("usage: make_docs.py [--check]", file=sys.stderr)
        return 2
    differing = bring_up_to_date(render_all(read_page(cli, "gittrack"), __version__), ROOT, check=check)
    for name in differing:
        print(f"{name} is not what the commands say" if check else f"wrote {name}")
    if check and differing:
        print("hint: make docs")
    return 1 if check and differing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
