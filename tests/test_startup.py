"""What starting costs: the modules that ``import gittrack`` and ``gittrack --help`` load; seconds are not tested."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

IMPORT_GITTRACK = {"gittrack", "gittrack._version", "gittrack.errors"}
"""All that ``import gittrack`` may load that is not of the standard library."""

STANDARD_LIBRARY_LIMIT = 40
"""How many modules of the standard library ``import gittrack`` may add to a bare interpreter's."""

DEAR_IN_IMPORT = set(
    (
        "argparse asyncio concurrent ctypes dataclasses datetime email hashlib http importlib.metadata inspect json "
        "logging multiprocessing pathlib platform shutil socket sqlite3 ssl subprocess tempfile threading tomllib "
        "traceback unittest urllib uuid xml"
    ).split()
)
DEAR_IN_HELP = set(
    (
        "asyncio concurrent.futures email http importlib.metadata multiprocessing socket sqlite3 ssl tomllib unittest "
        "urllib.request xml"
    ).split()
)
DEAR_IN_EMPTY_RUN = set(
    (
        "asyncio bz2 email gittrack.core.parsed_refs gittrack.store.run_reader http importlib.metadata logging "
        "platform pygit2 shutil socket sqlite3 tempfile tomllib urllib.request uuid"
    ).split()
)
FOREIGN_IN_HELP = {"click", "colorama"}
OURS_NOT_IN_HELP = {f"gittrack.{part}" for part in ("git", "store", "index", "artifacts", "capture", "core.toml")}

REPORT = """
import json, sys
sys.path[:0] = {path!r}
before = set(sys.modules)
{statement}
sys.stderr.write("\\n" + json.dumps(sorted(set(sys.modules) - before)))
"""
HELP = """
sys.argv = ["gittrack", "--help"]
from gittrack.cli.main import main
try:
    main()
except SystemExit as stopped:
    assert not stopped.code, stopped.code
"""


def run(statement: str, path: list[str], *flags: str) -> set[str]:
    """Run a statement in a fresh interpreter: the modules it loaded."""
    program = REPORT.format(path=path, statement=statement)
    command = [sys.executable, *flags, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stderr.rpartition("\n")[2]))


def roots(modules: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules}


def below(modules: set[str], dear: set[str]) -> set[str]:
    return {name for name in modules if any(name == each or name.startswith(each + ".") for each in dear)}


@pytest.fixture
def import_gittrack() -> set[str]:
    # -S: no site-packages, so the import also proves that it needs no other library.
    return run("import gittrack", [str(ROOT)], "-S", "-E")


@pytest.fixture
def gittrack_help() -> set[str]:
    return run(HELP, [str(ROOT)])


def test_import_gittrack_loads_nothing_of_gittrack_but_its_names(import_gittrack):
    ours = {name for name in import_gittrack if name.partition(".")[0] not in sys.stdlib_module_names}
    assert "gittrack" in ours
    assert ours <= IMPORT_GITTRACK


def test_import_gittrack_loads_little_of_the_standard_library(import_gittrack):
    standard = import_gittrack - IMPORT_GITTRACK
    assert below(standard, DEAR_IN_IMPORT) == set()
    assert len(standard) <= STANDARD_LIBRARY_LIMIT, sorted(standard)


def test_an_empty_run_loads_nothing_dear(repo):
    statement = f"import os; os.chdir({str(repo)!r}); import gittrack; gittrack.start_run().end()"
    run(statement, [str(ROOT)])  # the first run of a repository looks whether an experiment was renamed
    loaded = run(statement, [str(ROOT)])
    assert "gittrack.store.publish" in loaded
    assert below(loaded, DEAR_IN_EMPTY_RUN) == set()


def test_help_loads_no_library_but_click(gittrack_help):
    foreign = roots(gittrack_help) - sys.stdlib_module_names - {"gittrack"}
    assert "click" in foreign
    assert {name for name in foreign if not name.startswith("_")} <= FOREIGN_IN_HELP


def test_help_loads_nothing_dear(gittrack_help):
    assert below(gittrack_help, DEAR_IN_HELP) == set()
    assert below(gittrack_help, OURS_NOT_IN_HELP) == set()


@pytest.mark.parametrize("library", ["csv", "sqlite3", "click"])
def test_the_report_shows_what_a_statement_loads(library):
    assert library in run(f"import {library}", [str(ROOT)])
