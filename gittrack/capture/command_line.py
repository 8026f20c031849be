"""What a command line runs: which script, module or program, and with which arguments of its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

Kind = Literal["script", "module", "code", "stdin", "interactive", "program"]

_INTERPRETER = re.compile(r"(?:python|pypy)w?[0-9.]*t?(?:\.exe)?", re.IGNORECASE)
_SCRIPT = re.compile(r"(?i)[^-].*\.(?:py|pyw|pyz|ipynb|sh|bash|zsh|r|jl|lua|pl|rb|js|m)")
_LAUNCHERS = frozenset(
    {
        *("accelerate", "bash", "conda", "coverage", "dash", "deepspeed", "env", "hatch", "horovodrun", "ipython"),
        *("jupyter", "julia", "kernprof", "lua", "mamba", "micromamba", "mpiexec", "mpirun", "nice", "node", "nohup"),
        *("numactl", "papermill", "pdm", "perl", "pipenv", "pixi", "poetry", "rscript", "ruby", "rye", "sh", "srun"),
        *("stdbuf", "taskset", "time", "timeout", "torchrun", "uv", "xvfb-run", "zsh"),
    }
)
_LAUNCHER_MODULES = frozenset(
    {
        *("accelerate.commands.launch", "cProfile", "coverage", "debugpy", "deepspeed", "kernprof", "memory_profiler"),
        *("papermill", "pdb", "profile", "runpy", "torch.distributed.launch", "torch.distributed.run", "trace"),
    }
)
_OPTIONS_WITH_VALUE = "WX"


class Invocation(NamedTuple):
    """What runs.

    Attributes:
        kind: what ``target`` is.
        target: path of the script, name of the module, the code after ``-c``, or the program; else ``""``.
        arguments: what follows the target.
    """

    kind: Kind
    target: str
    arguments: tuple[str, ...] = ()


def split_command(command: Sequence[str]) -> Invocation:
    """Find what a command line runs, through launchers such as ``uv run``, ``torchrun`` or ``bash``.

    Args:
        command: the program and its arguments, as in ``sys.orig_argv``; ``sys.argv`` does where the interpreter's own
            options do not matter.

    >>> split_command(["uv", "run", "python", "-u", "train.py", "--lr", "0.1"])
    Invocation(kind='script', target='train.py', arguments=('--lr', '0.1'))
    """
    if not command or not command[0]:
        return Invocation("interactive", "")
    if command[0] in ("-", "-c"):  # what Python leaves of these in ``sys.argv``
        return Invocation("stdin" if command[0] == "-" else "code", "", tuple(command[1:]))
    if is_interpreter(command[0]):
        return _split_python(command)
    name = base_name(command[0]).lower().removesuffix(".exe")
    if name in _LAUNCHERS:
        return _behind_launcher(command) or Invocation("program", command[0], tuple(command[1:]))
    kind: Kind = "script" if _SCRIPT.fullmatch(command[0]) else "program"
    return Invocation(kind, command[0], tuple(command[1:]))


def is_interpreter(program: str) -> bool:
    """Whether a program's name is that of a Python interpreter."""
    return bool(_INTERPRETER.fullmatch(base_name(program)))


def base_name(path: str) -> str:
    """The last part of a path of either kind of system."""
    return re.split(r"[/\\]", path)[-1]


def _split_python(command: Sequence[str]) -> Invocation:
    position = 1
    while position < len(command):
        word = command[position]
        rest = tuple(command[position + 1 :])
        if word == "-":
            return Invocation("stdin", "", rest)
        if not word.startswith("-"):
            return Invocation("script", word, rest)
        if word.startswith("--"):
            position += 2 if word == "--check-hash-based-pycs" else 1
            continue
        letter, value, needs_next = _short_options(word[1:])
        if needs_next:
            value, rest = (rest[0], rest[1:]) if rest else ("", ())
        if letter == "c":
            return Invocation("code", value, rest)
        if letter == "m":
            return _module(value, rest)
        position += 2 if needs_next else 1
    return Invocation("interactive", "")


def _short_options(letters: str) -> tuple[str, str, bool]:
    """The first letter of a group that takes a value, what of the value is in the group, whether it comes next."""
    for place, letter in enumerate(letters):
        if letter in "cm" or letter in _OPTIONS_WITH_VALUE:
            value = letters[place + 1 :]
            return letter, value, not value
    return "", "", False


def _module(name: str, arguments: tuple[str, ...]) -> Invocation:
    behind = _behind_launcher((name, *arguments)) if name in _LAUNCHER_MODULES else None
    return behind or Invocation("module", name, arguments)


def _behind_launcher(command: Sequence[str]) -> Invocation | None:
    """What a launcher starts: an interpreter's command, else the first word that looks like a script."""
    for place in range(1, len(command)):
        if is_interpreter(command[place]):
            return _split_python(command[place:])
        if _SCRIPT.fullmatch(command[place]):
            return Invocation("script", command[place], tuple(command[place + 1 :]))
    return None
