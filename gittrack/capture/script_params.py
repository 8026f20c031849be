"""Params that a script's own command line states."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gittrack.capture.command_line import base_name, is_interpreter, split_command
from gittrack.capture.params_file import read_params_file
from gittrack.capture.redaction import MASK, names_secret, safe_text
from gittrack.core.text_values import typed_text

__all__ = ["params_from_argv", "read_params_file"]

_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,300}\.[0-9]{0,300}|\.?[0-9]{1,300})(?:[eE][+-]?[0-9]{1,5})?")
_OPTION = re.compile(r"--?[A-Za-z][A-Za-z0-9_./-]*")
_ASSIGNMENT = re.compile(
    r"(?P<name>\+{0,2}[A-Za-z_][A-Za-z0-9_./@-]*|--?[A-Za-z][A-Za-z0-9_./-]*)=(?P<value>.*)", re.DOTALL
)
_GLUED = re.compile(r"-(?P<name>[A-Za-z])(?P<value>[0-9].*)")
_SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh", "fish"})


def params_from_argv(argv: Sequence[str]) -> dict[str, object]:
    """The params in a command line: ``--lr 0.1``, ``--lr=0.1``, ``-e 5``, ``-e5``, ``--flag``, ``lr=0.1``.

    Without the script's own parser some guesses are needed: an option followed by a word takes it as value, followed
    by several numbers it takes them all; ``--no-cuda`` is ``no_cuda = True``. An option given twice, or with several
    numbers, is a list. Dashes inside a name become ``_``, as argparse does. Other positional words are left out.
    Options whose name means a secret, and values that hold one, are left out.

    Args:
        argv: a script and its arguments (``sys.argv``), or a whole command: interpreter, launchers and script are
            skipped.

    Returns:
        name -> int, float, bool, str, or a list of them, in order of appearance.

    >>> params_from_argv(["python", "train.py", "--lr", "0.1", "--layers", "64", "32", "--no-cuda", "model=vit"])
    {'lr': 0.1, 'layers': [64, 32], 'no_cuda': True, 'model': 'vit'}
    """
    params: dict[str, object] = {}
    for name, values in _stated(_own_arguments(argv)):
        key = name.lstrip("-+").replace("-", "_").strip("/.")
        if not key or names_secret(name) or any(_holds_secret(value) for value in values):
            continue
        typed: list[object] = [typed_text(safe_text(value)) for value in values] or [True]
        _add(params, key, typed)
    return params


def _own_arguments(argv: Sequence[str]) -> Sequence[str]:
    """The arguments of the script itself."""
    if not argv or argv[0].startswith("-") or _ASSIGNMENT.fullmatch(argv[0]):
        return argv  # bare arguments, without a program before them
    invocation = split_command(argv)
    if is_interpreter(base_name(argv[0])) and invocation.kind in ("interactive", "stdin"):
        return ()
    if invocation.kind == "program" and base_name(argv[0]) in _SHELLS:
        return ()  # ``sh -c "…"``: a script of the shell's, not an option of ours
    return invocation.arguments


def _stated(words: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Each name as written with its values; none for a flag."""
    stated: list[tuple[str, list[str]]] = []
    position = 0
    while position < len(words) and words[position] != "--":
        word = words[position]
        position += 1
        if assignment := _ASSIGNMENT.fullmatch(word):
            stated.append((assignment["name"], [assignment["value"]]))
        elif glued := _GLUED.fullmatch(word):
            stated.append((glued["name"], [glued["value"]]))
        elif _OPTION.fullmatch(word):
            values = _values_after(words, position)
            stated.append((word, values))
            position += len(values)
    return stated


def _values_after(words: Sequence[str], position: int) -> list[str]:
    """The one word after an option if it is a value, or all the numbers that follow."""
    values: list[str] = []
    for word in words[position:]:
        is_number = bool(_NUMBER.fullmatch(word))
        is_value = is_number or not ((word.startswith("-") and len(word) > 1) or _ASSIGNMENT.fullmatch(word))
        if not is_value or (values and not is_number):
            break
        values.append(word)
        if not is_number:
            break
    return values


def _add(params: dict[str, object], key: str, values: list[object]) -> None:
    before = params.get(key)
    if key in params:
        values = [*(before if isinstance(before, list) else [before]), *values]
    params[key] = values if len(values) > 1 else values[0]


def _holds_secret(value: str) -> bool:
    clean = safe_text(value)
    return clean != value and MASK in clean
