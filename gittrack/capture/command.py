"""The command a run was started with: its words, its entry script, where it ran."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from gittrack.capture.author import host
from gittrack.capture.command_line import Invocation, base_name, split_command
from gittrack.capture.redaction import MASK, names_secret, safe_text, storable

_WORD_LIMIT = 64 * 1024
_WORDS_LIMIT = 10_000
_KERNELS = frozenset({"ipykernel", "ipykernel_launcher", "colab_kernel_launcher", "xeus_python_launcher"})


class CommandState(NamedTuple):
    """How the process was started.

    Attributes:
        command: the words of the command line, secrets masked.
        entry: the script relative to the work tree (its bare name when it lies outside), the module after ``-m``,
            ``-c`` for inline code, ``<stdin>``, the notebook (``<notebook>`` when its name is not known), the name of
            another program, or ``""`` in an interactive session.
        host: this machine's name.
    """

    command: tuple[str, ...]
    entry: str
    host: str


def capture_command(
    argv: Sequence[str],
    main_file: str | None,
    environ: Mapping[str, str],
    work_tree: Path | None,
    *,
    cwd: Path | None = None,
    names: Mapping[str, object] | None = None,
    interactive: bool | None = None,
) -> CommandState:
    """Describe how a process was started.

    Args:
        argv: the whole command line, interpreter first (``sys.orig_argv``), or that of a program about to be started.
        main_file: ``__main__.__file__`` of this process; None for another program, and where there is none.
        environ: the process's environment.
        work_tree: root of the work tree around the process, or None.
        cwd: where the process stands; by default where this one does.
        names: the names of ``__main__``, in which notebooks leave their path; by default this process's.
        interactive: whether a person types at a prompt; by default whether this process has one.
    """
    here = _directory(cwd)
    invocation = split_command(argv)
    if is_notebook_kernel(argv):
        main_names = vars(sys.modules["__main__"]) if names is None else names
        entry = notebook_name(environ, main_names, work_tree, here)
    else:
        prompt = hasattr(sys, "ps1") if interactive is None else interactive
        entry = _entry(invocation, main_file, work_tree, here, prompt)
    return CommandState(redact_command(argv), safe_text(entry[:4096]), host())


def redact_command(argv: Sequence[str]) -> tuple[str, ...]:
    """The words of a command line with the values of secret options, assignments and URLs masked.

    >>> redact_command(["train", "--api-key", "abc", "--token=x", "DB_PASSWORD=y", "--pad-token", "0"])
    ('train', '--api-key', '***', '--token=***', 'DB_PASSWORD=***', '--pad-token', '0')
    """
    words: list[str] = []
    is_value_of_secret = False
    for word in argv[:_WORDS_LIMIT]:
        if is_value_of_secret and not word.startswith("--"):
            words.append(MASK)
            is_value_of_secret = False
            continue
        name, equals, value = word.partition("=")
        is_name = bool(re.fullmatch(r"[-+]{0,2}[A-Za-z_][A-Za-z0-9_./-]{0,200}", name))
        is_value_of_secret = word.startswith("-") and not equals and is_name and names_secret(name)
        if equals and is_name and value:
            words.append(f"{storable(name)}={MASK if names_secret(name) else _cut(safe_text(value))}")
        else:
            words.append(_cut(safe_text(word)))
    return tuple(words)


def is_notebook_kernel(argv: Sequence[str]) -> bool:
    """Whether a command line is that of a notebook's kernel, not of a program started from a notebook."""
    invocation = split_command(argv)
    if invocation.kind == "module":
        return invocation.target in _KERNELS
    return invocation.kind == "script" and base_name(invocation.target).removesuffix(".py") in _KERNELS


def notebook_name(
    environ: Mapping[str, str], names: Mapping[str, object], work_tree: Path | None, directory: str = ""
) -> str:
    """The notebook whose kernel this process is, relative to the work tree if inside.

    VS Code leaves the path among the notebook's own names, Jupyter Server and Papermill in the environment. Colab,
    Kaggle and Databricks tell nothing without the network: their name stands in for the notebook's.
    """
    stated = names.get("__vsc_ipynb_file__")
    candidates = (
        stated if isinstance(stated, str) else "",
        environ.get("PAPERMILL_INPUT_PATH", ""),
        environ.get("JPY_SESSION_NAME", ""),
    )
    path = next(filter(None, candidates), "")
    if path:
        beside = os.path.join(directory, base_name(path))
        if not os.path.isabs(path) and not os.path.exists(os.path.join(directory, path)) and os.path.exists(beside):
            path = beside  # Jupyter's path is relative to its server, the kernel stands beside the notebook
        return _relative(path, work_tree, directory)
    for variable, name in (
        ("COLAB_RELEASE_TAG", "colab"),
        ("KAGGLE_KERNEL_RUN_TYPE", "kaggle"),
        ("DATABRICKS_RUNTIME_VERSION", "databricks"),
    ):
        if environ.get(variable):
            return f"<{name} notebook>"
    return "<notebook>"


def _entry(
    invocation: Invocation, main_file: str | None, work_tree: Path | None, directory: str, interactive: bool
) -> str:
    if invocation.kind == "module":
        return _module_entry(invocation.target, main_file, work_tree)
    if invocation.kind == "code":
        return "-c"
    if invocation.kind == "stdin":
        return "<stdin>"
    if invocation.kind == "interactive":
        return "" if interactive else "<stdin>"
    if invocation.kind == "script":
        # A profiler leaves its own file as that of ``__main__``: the one inside the work tree is meant.
        return (main_file and _within(main_file, work_tree)) or _relative(invocation.target, work_tree, directory)
    if main_file is not None:
        return _relative(main_file, work_tree, directory)
    has_folder = any(separator in invocation.target for separator in ("/", "\\"))
    return _relative(invocation.target, work_tree, directory) if has_folder else invocation.target


def _module_entry(module: str, main_file: str | None, work_tree: Path | None) -> str:
    """The module's name, unless it is a launcher (a debugger, a profiler) that runs a script of the work tree."""
    if main_file is None or work_tree is None:
        return module
    inside = _within(main_file, work_tree)
    parts = module.replace(".", "/")
    is_of_module = inside is None or inside.endswith((f"{parts}.py", f"{parts}/__main__.py"))
    return module if is_of_module or not inside else inside


def _relative(path: str, work_tree: Path | None, directory: str) -> str:
    """The path relative to the work tree, or only its name: folders outside are this machine's business."""
    return _within(os.path.join(directory, path), work_tree) or base_name(path)


def _within(path: str, work_tree: Path | None) -> str | None:
    """The path relative to the work tree with ``/`` between its parts, ``""`` for its root, None outside."""
    if work_tree is None or not os.path.isabs(path):
        return None  # relative to a folder that is gone
    root = os.path.realpath(work_tree)
    real = os.path.realpath(path)
    for place in (real, os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))):
        if place == root:
            return ""
        if place.startswith(root.rstrip(os.sep) + os.sep):
            return os.path.relpath(place, root).replace(os.sep, "/")
    return None


def _directory(cwd: Path | None) -> str:
    if cwd is not None:
        return str(cwd)
    try:
        return os.getcwd()
    except OSError:
        return ""  # the folder was deleted under the process


def _cut(word: str) -> str:
    return word if len(word) <= _WORD_LIMIT else word[: _WORD_LIMIT - 1] + "…"
