"""What the pages tell people to type is typed here, in a fresh directory, and answers what the pages say it answers.

A page is executed from top to bottom:

- a block ```` ```python file=train.py ```` (any language, any file) is written to that file;
- a block ```` ```console ```` holds commands after ``$ `` and the output each must have; ``<!--`` may hide one;
- a ``…`` in an output stands for anything, alone on its line for any number of lines;
- hexadecimal ids of seven digits or more stand for the real ones: the same in the page is the same in reality, also in
  the commands that follow; durations, ages, dates and process ids may differ;
- a command must succeed, unless the next one is ``echo $?``.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    page
    for page in (ROOT / "README.md", ROOT / "docs" / "tutorial.md", *sorted((ROOT / "docs" / "how-to").glob("*.md")))
    if re.search(r"^```console$", page.read_text(encoding="utf-8"), re.MULTILINE)
]
EXECUTED = {
    *("README.md", "tutorial.md", "reading-with-git.md", "sweeps.md", "recovery.md", "ci.md"),
    *("data-lineage.md", "disk-space.md", "artifacts.md", "models.md"),
    *("compare.md", "diff.md", "plot.md", "leaked-secret.md"),
}
"""Pages that must not lose their commands: a page without any would pass by saying nothing."""

BLOCK = re.compile(r"^```(?P<info>[^\n`]+)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
TOKEN = re.compile(
    r"(?P<any>…)"
    r"|(?P<date>\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?: ?UTC|Z| ?[+-]\d\d:?\d\d)?)"
    r"|(?P<day>\b\w{3} \w{3} +\d{1,2} \d\d:\d\d:\d\d \d{4} [+-]\d{4})"
    r"|(?P<hex>(?<![\w.])(?=[a-f]*\d)[0-9a-f]{7,40}\b)"
    r"|(?P<duration>\b(?:\d+(?:\.\d+)? ?(?:ms|s|h|m\d\ds|m|min|seconds?|minutes?)\b"
    r"(?: ago)?|just now|now)\b)"
    r"|(?P<blank> +)"
)
DATE = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?: ?UTC|Z| ?[+-]\d\d:?\d\d)?"
DAY = r"\w{3} \w{3} +\d{1,2} \d\d:\d\d:\d\d \d{4} [+-]\d{4}"
DURATION = r"(?:\d+(?:\.\d+)? ?(?:ms|s|h|m\d\ds|m|min|seconds?|minutes?)(?: ago)?|just now|now)"
KILLED = re.compile(r"^.*: line \d+:\s+\d+ (Killed|Terminated)\b.*$", re.MULTILINE)


class MismatchError(AssertionError):
    """A command did not answer what the page says."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing a page asks for: a file to write, or a command with its output."""

    line: int
    file: str = ""
    text: str = ""
    command: str = ""
    output: tuple[str, ...] = ()


def read_steps(page: str) -> list[Step]:
    """The steps of a page, in order."""
    steps: list[Step] = []
    for match in BLOCK.finditer(page):
        info, body, line = match["info"].strip(), match["body"], page.count("\n", 0, match.start()) + 2
        named = re.search(r"\bfile=(\S+)", info)
        if named:
            steps.append(Step(line, file=named[1], text=body))
        elif info == "console":
            steps += _commands(body.splitlines(), line)
    return steps


def _commands(lines: list[str], first: int) -> list[Step]:
    starts = [number for number, text in enumerate(lines) if text.startswith("$ ")]
    assert starts and starts[0] == 0, f"line {first}: a console block begins with a command"
    steps = []
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        command = [lines[start][2:]]
        rest = start + 1
        while rest < end and lines[rest].startswith("> "):
            command.append(lines[rest][2:])
            rest += 1
        output = lines[rest:end]
        while output and not output[-1].strip():
            output.pop()
        steps.append(Step(first + start, command="\n".join(command), output=tuple(output)))
    return steps


@dataclass(slots=True)
class Ids:
    """Which real id each id of the page stands for; known by their first seven digits."""

    real: dict[str, str] = field(default_factory=dict)

    def bind(self, said: str, found: str) -> bool:
        """Whether ``found`` can be what ``said`` stands for; remembers it."""
        key, known = said[:7], self.real.get(said[:7])
        if known is None:
            # Another id of the page must not stand for the same thing.
            if any(value[:7] == found[:7] for value in self.real.values()):
                return False
            self.real[key] = found
            return True
        if not (known.startswith(found) or found.startswith(known)):
            return False
        self.real[key] = max(known, found, key=len)
        return True

    def replaced(self, command: str) -> str:
        """A command of the page with the real ids."""

        def real(match: re.Match[str]) -> str:
            known = self.real.get(match[0][:7])
            return match[0] if known is None else known[: len(match[0])]

        return re.sub(r"\b[0-9a-f]{7,40}\b", real, command)


def line_pattern(line: str) -> tuple[re.Pattern[str], list[str]]:
    """A regular expression for a line of output, and the ids it says, one per group."""
    parts, said, position = [], [], 0
    open_end = line.endswith(" …")
    line = line.removesuffix(" …") if open_end else line
    for match in TOKEN.finditer(line):
        parts.append(re.escape(line[position : match.start()]))
        position = match.end()
        if match["hex"]:
            parts.append(f"([0-9a-f]{{{len(match[0])}}})")
            said.append(match[0])
        else:
            kind = match.lastgroup or ""
            parts.append({"any": ".*", "date": DATE, "day": DAY, "duration": DURATION, "blank": " +"}[kind])
    parts.append(re.escape(line[position:]))
    return re.compile("".join(parts) + (r"(?: .*)?" if open_end else r"\s*")), said


def compare(expected: tuple[str, ...], output: str, ids: Ids) -> None:
    """Compare an output with what the page says, and learn its ids.

    Raises:
        MismatchError: says at which line.
    """
    lines = KILLED.sub(r"\1", output).rstrip().splitlines()
    position = 0
    skipping = False
    for text in expected:
        if text.strip() == "…":
            skipping = True
            continue
        while position < len(lines) and skipping and not _matches(text, lines[position], ids, remember=False):
            position += 1
        if position >= len(lines) or not _matches(text, lines[position], ids, remember=True):
            found = lines[position] if position < len(lines) else "the end of the output"
            raise MismatchError(f"the page says\n  {text}\nbut there is\n  {found}\nin\n{output}")
        position, skipping = position + 1, False
    if position < len(lines) and not skipping:
        raise MismatchError(f"the page does not say\n  {lines[position]}\nin\n{output}")


def _matches(said: str, found: str, ids: Ids, *, remember: bool) -> bool:
    pattern, names = line_pattern(said)
    match = pattern.fullmatch(found)
    if match is None:
        return False
    trial = ids if remember else Ids(dict(ids.real))
    return all(trial.bind(name, group) for name, group in zip(names, match.groups(), strict=True))


@dataclass(slots=True)
class Shell:
    """Runs the commands of a page one after the other; keeps the directory and the last exit code between them."""

    directory: Path
    env: dict[str, str]
    status: int = 0

    def run(self, command: str) -> str:
        """Run one command in bash; its output and errors as a terminal shows them."""
        marker = self.env["GITTRACK_TEST_PWD"]
        script = f"(exit {self.status})\n{command}\nstatus=$?; pwd > {shlex.quote(marker)}; exit $status"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.directory,
            env={name: value for name, value in self.env.items() if name != "GITTRACK_TEST_PWD"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )
        self.status = done.returncode
        self.directory = Path(Path(marker).read_text(encoding="utf-8").strip())
        return done.stdout


@pytest.fixture
def shell(tmp_path: Path, project_env: dict[str, str]) -> Shell:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, words in {"gittrack": "-m gittrack", "git-track": "-m gittrack", "python": ""}.items():
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {words} "$@"\n', encoding="utf-8")
        program.chmod(0o755)
    work = tmp_path / "work"
    work.mkdir()
    env = {
        **project_env,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "GITTRACK_TEST_PWD": str(tmp_path / "pwd"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "COLUMNS": "100",
    }
    return Shell(work, env)


def play(page: str, shell: Shell) -> int:
    """Do what a page says; the number of commands.

    Raises:
        MismatchError: a command failed, or answered something else; names the line of the page.
    """
    ids, steps = Ids(), read_steps(page)
    commands = 0
    for number, step in enumerate(steps):
        if step.file:
            target = shell.directory / step.file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(step.text, encoding="utf-8")
            continue
        commands += 1
        output = shell.run(ids.replaced(step.command))
        follower = steps[number + 1].command if number + 1 < len(steps) else ""
        if shell.status != 0 and follower != "echo $?":
            raise MismatchError(f"line {step.line}: `{step.command}` ended with {shell.status}:\n{output}")
        try:
            compare(step.output, output, ids)
        except MismatchError as error:
            raise MismatchError(f"line {step.line}: `{step.command}`: {error}") from error
    return commands


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_what_the_page_says_is_what_happens(page, shell):
    assert play(page.read_text(encoding="utf-8"), shell) > 0


def test_the_pages_that_promise_commands_have_them():
    assert {page.name for page in PAGES} >= EXECUTED


# The machinery itself ------------------------------------------------------------------------------------------------


def test_steps_are_read_in_order_with_their_lines():
    page = "a\n```python file=x/y.py\nprint(1)\n```\n\n<!--\n```console\n$ one \\\n> two\nout\n\n$ three\n```\n-->\n"
    assert read_steps(page) == [
        Step(3, file="x/y.py", text="print(1)\n"),
        Step(8, command="one \\\ntwo", output=("out",)),
        Step(12, command="three"),
    ]


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("took 3.2 s", "took 811 ms"),
        ("at 2026-11-21 09:43 UTC", "at 2027-01-01 00:00 UTC"),
        ("Date:   Sat Nov 21 09:43:55 2026 +0000", "Date:   Sun Nov 1 10:00:00 2027 +0000"),
        ("first …", "first and anything"),
        ("first …", "first"),
        ("a  b", "a        b"),
    ],
)
def test_what_differs_each_time_may_differ(said, found):
    compare((said,), found + "\n", Ids())


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (("loss 0.25",), "loss 0.26\n"),
        (("one",), "one\ntwo\n"),
        (("one", "two"), "one\n"),
        ((), "noise\n"),
        (("1234567",), "12345678\n"),
        (("…", "last"), "first\nlost\n"),
    ],
)
def test_another_output_is_a_mismatch(said, found):
    with pytest.raises(MismatchError):
        compare(said, found, Ids())


def test_an_ellipsis_alone_stands_for_any_number_of_lines():
    compare(("one", "…", "four"), "one\ntwo\nthree\nfour\n", Ids())
    compare(("one", "…"), "one\n", Ids())


def test_an_id_of_the_page_stands_for_one_real_id():
    ids = Ids()
    compare(("run 3f9c2e71", "other 1111111a"), "run abcdef01\nother 2222222b\n", ids)
    assert ids.replaced("git show 3f9c2e7 3f9c2e71:x 1111111a") == "git show abcdef0 abcdef01:x 2222222b"
    compare(("id 3f9c2e71aaaaaaaaaaaaaaaaaaaaaaaa",), "id abcdef01234567890123456789012345\n", ids)
    with pytest.raises(MismatchError):
        compare(("run 3f9c2e71",), "run 99999990\n", ids)
    with pytest.raises(MismatchError):
        compare(("new 7777777",), "new abcdef0\n", ids)


def test_a_command_that_fails_must_be_asked_for_its_exit_code(shell):
    assert play("```console\n$ false\n$ echo $?\n1\n```\n", shell) == 2
    with pytest.raises(MismatchError, match="line 2: `false` ended with 1"):
        play("```console\n$ false\n$ true\n```\n", shell)


def test_the_directory_stays_between_commands(shell):
    play("```console\n$ mkdir a\n$ cd a\n```\n```text file=x\nhello\n```\n```console\n$ cat x\nhello\n```\n", shell)
