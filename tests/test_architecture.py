"""The rules of the architecture, proved on the source itself.

Every rule is a function from modules to complaints. Each runs twice: on gittrack, where it must find nothing, and on
made-up bad source, where it must find something, so that no rule can pass by looking away.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "gittrack"

BELOW_SHELLS = frozenset({"api", "core", "errors", "config", "frozen", "_version"})
BELOW_API = frozenset({"git", "core", "errors", "config", "frozen"})
MAY_IMPORT: dict[str, frozenset[str]] = {
    "errors": frozenset(),
    "frozen": frozenset(),
    "_version": frozenset(),
    "config": frozenset({"errors", "frozen"}),
    "core": frozenset({"errors", "frozen"}),
    "git": frozenset({"core", "errors", "config", "frozen"}),
    "store": BELOW_API,
    "index": BELOW_API,
    "artifacts": BELOW_API,
    "capture": BELOW_API | {"_version"},
    "models": frozenset({"core", "errors", "frozen"}),
    "api": BELOW_API | {"store", "index", "artifacts", "capture", "models", "_version"},
    "cli": BELOW_SHELLS,
    "web": BELOW_SHELLS,
    "integrations": BELOW_SHELLS,
    "importers": BELOW_SHELLS,
    "__init__": BELOW_SHELLS,
    "__main__": frozenset({"cli"}),
}
"""Package -> the packages it may import besides itself."""

ONLY_IN: dict[str, str] = {"pygit2": "git", "sqlite3": "index", "dvc": "artifacts", "click": "cli"}
"""Library -> the one package that may import it; ``dvc`` stands for every ``dvc_*`` too."""

AT_MODULE_LEVEL = frozenset({"pygit2", "click", "tomli_w"})
"""What is always installed. Any other library is imported where it is used, or `import gittrack` pays for it."""

IMPURE = frozenset(
    (
        "asyncio concurrent ctypes fcntl fileinput ftplib getpass glob http importlib logging mmap multiprocessing os "
        "pathlib platform pty queue random resource sched secrets select selectors shutil signal smtplib socket "
        "socketserver sqlite3 subprocess sys tempfile threading time uuid zoneinfo"
    ).split()
)
"""Clock, randomness and input/output: not in ``core``. Of ``io`` only what stays in memory."""

MUTABLE_MAKERS = frozenset(
    {
        *("list", "dict", "set", "bytearray", "array", "defaultdict", "deque", "Counter", "OrderedDict", "ChainMap"),
        *("ContextVar", "local", "WeakKeyDictionary", "WeakSet", "WeakValueDictionary", "Lock", "RLock", "Event"),
    }
)
MUTATORS = frozenset(
    {
        *("append", "add", "clear", "discard", "extend", "insert", "pop", "popitem"),
        *("remove", "reverse", "setdefault", "sort", "update", "__setitem__"),
    }
)
STATE_ALLOWED = frozenset({"gittrack.api.fluent"})  # its business: which run is active in this process
NAMES_THAT_SAY_NOTHING = frozenset({"utils", "util", "helpers", "helper", "manager", "managers", "misc"})

MODULE_LINES, MODULE_LINES_WISHED = 400, 350
FUNCTION_LINES, FUNCTION_LINES_WISHED = 60, 30


@dataclass(frozen=True, slots=True)
class Module:
    """One source file: its dotted name, whether it is a package's ``__init__``, its text and its tree."""

    name: str
    is_package: bool
    text: str
    tree: ast.Module

    @property
    def part(self) -> str:
        """The package under gittrack that the module belongs to, or its own name at the top."""
        return [*self.name.split("."), "__init__"][1]


@dataclass(frozen=True, slots=True)
class Import:
    """One imported dotted name. ``at_load``: it happens when the module is loaded, not later and not for types."""

    target: str
    line: int
    at_load: bool


def module_of(name: str, text: str, *, is_package: bool = False) -> Module:
    return Module(name, is_package, text, ast.parse(text))


def load(package: Path) -> list[Module]:
    modules = []
    for path in sorted(package.rglob("*.py")):
        parts = ["gittrack", *path.relative_to(package).with_suffix("").parts]
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        modules.append(module_of(name, path.read_text(encoding="utf-8"), is_package=is_package))
    return modules


def imports(module: Module) -> Iterator[Import]:
    """Every import of the module, each name of ``from a import b`` as ``a.b``."""
    yield from _imports_below(module.tree, module, at_load=True)


def _imports_below(node: ast.AST, module: Module, *, at_load: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (Import(alias.name, child.lineno, at_load) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            base = _absolute(child, module)
            yield from (Import(f"{base}.{alias.name}", child.lineno, at_load) for alias in child.names)
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for branch, loads in ((child.body, False), (child.orelse, at_load)):
                yield from _imports_below(ast.Module(branch, []), module, at_load=loads)
        else:
            later = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _imports_below(child, module, at_load=at_load and not later)


def _absolute(node: ast.ImportFrom, module: Module) -> str:
    if not node.level:
        return node.module or ""
    parts = module.name.split(".")
    kept = parts[: len(parts) - node.level + (1 if module.is_package else 0)]
    return ".".join([*kept, node.module] if node.module else kept)


def library(target: str) -> str:
    return target.partition(".")[0]


# The rules ---------------------------------------------------------------------------------------------------------


def imports_go_down_only(modules: list[Module]) -> Iterator[str]:
    for module in modules:
        if module.part not in MAY_IMPORT:
            yield f"{module.name}: no layer is known for '{module.part}'; give it one in MAY_IMPORT"
            continue
        for found in imports(module):
            if library(found.target) != "gittrack":
                continue
            part = [*found.target.split("."), "__init__"][1]
            is_name_of_package = part == "__init__" or part not in MAY_IMPORT  # `from gittrack import start_run`
            wanted = "__init__" if is_name_of_package else part
            if wanted != module.part and wanted not in MAY_IMPORT[module.part]:
                yield f"{module.name}:{found.line} imports {found.target}"


def libraries_stay_in_their_package(modules: list[Module]) -> Iterator[str]:
    for module in modules:
        for found in imports(module):
            name = library(found.target)
            home = ONLY_IN.get("dvc" if name.startswith("dvc_") else name)
            if home is not None and module.part != home:
                yield f"{module.name}:{found.line} imports {name}, which belongs in {home}/"


def only_git_runs_git(modules: list[Module]) -> Iterator[str]:
    for module in modules:
        if module.part == "git":
            continue
        for node in ast.walk(module.tree):
            if isinstance(node, ast.List) and node.elts and _is_git(node.elts[0]):
                yield f"{module.name}:{node.lineno} builds a git command"
            elif isinstance(node, ast.Call) and node.args and _runs_or_finds(node.func) and _is_git(node.args[0]):
                yield f"{module.name}:{node.lineno} runs or looks for git"


def _is_git(node: ast.expr) -> bool:
    if isinstance(node, ast.List | ast.Tuple):
        return bool(node.elts) and _is_git(node.elts[0])
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.split(" ")[0] == "git"


def _runs_or_finds(function: ast.expr) -> bool:
    name = ast.unparse(function).rpartition(".")[2]
    return name in {
        "run",
        "Popen",
        "call",
        "check_call",
        "check_output",
        "system",
        "popen",
        "which",
    } or name.startswith(("exec", "spawn", "posix_spawn", "create_subprocess"))


def only_config_reads_the_environment(modules: list[Module]) -> Iterator[str]:
    names = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}
    for module in modules:
        if module.name == "gittrack.config":
            continue
        for node in ast.walk(module.tree):
            of_os = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os"
            if of_os and node.attr in names:
                yield f"{module.name}:{node.lineno} uses os.{node.attr}"
        for found in imports(module):
            if found.target in {f"os.{name}" for name in names}:
                yield f"{module.name}:{found.line} imports {found.target}"


def core_is_pure(modules: list[Module]) -> Iterator[str]:
    for module in modules:
        if module.part != "core":
            continue
        for found in imports(module):
            if library(found.target) in IMPURE or found.target.startswith("urllib.request"):
                yield f"{module.name}:{found.line} imports {found.target}"
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                if node.func.id in {"open", "input", "print", "exec", "eval", "__import__"}:
                    yield f"{module.name}:{node.lineno} calls {node.func.id}()"
            elif isinstance(node, ast.Attribute) and ast.unparse(node) in {"io.open", "io.FileIO", "io.open_code"}:
                yield f"{module.name}:{node.lineno} opens a file"
            elif isinstance(node, ast.Attribute) and node.attr in {"now", "utcnow", "today"}:
                yield f"{module.name}:{node.lineno} asks the clock (.{node.attr})"


def no_import_cycle(modules: list[Module]) -> Iterator[str]:
    known = {module.name for module in modules}
    graph: dict[str, set[str]] = {module.name: set() for module in modules}
    for module in modules:
        for found in imports(module):
            target = found.target if found.target in known else found.target.rpartition(".")[0]
            if found.at_load and target in known and target != module.name:
                graph[module.name].add(target)
    while free := [name for name, targets in graph.items() if not targets]:
        for name in free:
            del graph[name]
        for targets in graph.values():
            targets.difference_update(free)
    importers = True
    while importers:  # what merely imports a cycle is not part of it
        importers = [name for name in graph if not any(name in targets for targets in graph.values())]
        for name in importers:
            del graph[name]
    if graph:
        yield f"modules import each other in a circle: {', '.join(sorted(graph))}"


def libraries_wait_until_used(modules: list[Module]) -> Iterator[str]:
    allowed = AT_MODULE_LEVEL | sys.stdlib_module_names | {"gittrack"}
    for module in modules:
        if module.part == "integrations":  # one file a framework, imported only by who uses that framework
            continue
        for found in imports(module):
            if found.at_load and library(found.target) not in allowed:
                yield f"{module.name}:{found.line} imports {found.target} when it is loaded"


def modules_and_functions_are_small(modules: list[Module]) -> Iterator[str]:
    too_long, long = [], []
    for module in modules:
        lines = len(module.text.splitlines())
        place = too_long if lines > MODULE_LINES else long if lines > MODULE_LINES_WISHED else None
        if place is not None:
            place.append(f"{module.name} has {lines} lines")
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = _body_lines(node)
                place = too_long if lines > FUNCTION_LINES else long if lines > FUNCTION_LINES_WISHED else None
                if place is not None:
                    place.append(f"{module.name}:{node.lineno} {node.name} has {lines} lines")
    if too_long:
        yield from too_long
        yield "and over the length wished for: " + ("; ".join(long) or "nothing")


def _body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from ``def`` to the end, the docstring not counted: a contract may be as long as it needs to be."""
    first = node.body[0]
    is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    docstring = (first.end_lineno or 0) - first.lineno + 1 if is_docstring else 0
    return (node.end_lineno or 0) - node.lineno + 1 - docstring


def modules_are_named_for_what_they_hold(modules: list[Module]) -> Iterator[str]:
    for module in modules:
        if module.name.rpartition(".")[2] in NAMES_THAT_SAY_NOTHING:
            yield f"{module.name} does not say what it holds"


def no_state_in_modules(modules: list[Module]) -> Iterator[str]:
    for module in modules:
        if module.name in STATE_ALLOWED:
            continue
        constants = set()
        for node in module.tree.body:
            for name in _mutable_names(node):
                if name.isupper():
                    constants.add(name)
                elif not (name.startswith("__") and name.endswith("__")):
                    yield f"{module.name}:{node.lineno} binds {name} to something that can change"
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Global):
                yield f"{module.name}:{node.lineno} has a global statement"
            elif (changed := _changed_name(node)) in constants:
                yield f"{module.name}:{getattr(node, 'lineno', 0)} changes the constant {changed}"


def _mutable_names(node: ast.stmt) -> Iterator[str]:
    value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
    literal = isinstance(value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp)
    made = isinstance(value, ast.Call) and ast.unparse(value.func).rpartition(".")[2] in MUTABLE_MAKERS
    if literal or made:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]  # type: ignore[attr-defined]
        yield from (target.id for target in targets if isinstance(target, ast.Name))


def _changed_name(node: ast.AST) -> str | None:
    held: ast.expr | None = None
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
        held = node.value
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MUTATORS:
        held = node.func.value
    elif isinstance(node, ast.AugAssign):
        held = node.target
    return held.id if isinstance(held, ast.Name) else None


# The proofs --------------------------------------------------------------------------------------------------------

Rule = Callable[[list[Module]], Iterator[str]]
BAD: list[tuple[Rule, str, str]] = [
    (imports_go_down_only, "gittrack.core.x", "from gittrack.git import repository"),
    (imports_go_down_only, "gittrack.core.x", "import gittrack.config"),
    (imports_go_down_only, "gittrack.errors", "from gittrack.core.ids import RunId"),
    (imports_go_down_only, "gittrack.store.x", "def f():\n    from gittrack.index import search"),
    (imports_go_down_only, "gittrack.capture.x", "from ..artifacts import cache"),
    (imports_go_down_only, "gittrack.index.x", "if TYPE_CHECKING:\n    from gittrack.store.runs import X"),
    (imports_go_down_only, "gittrack.git.x", "from gittrack.store import runs"),
    (imports_go_down_only, "gittrack.cli.x", "from gittrack.store import runs"),
    (imports_go_down_only, "gittrack.cli.x", "from gittrack.web import server"),
    (imports_go_down_only, "gittrack.importers.x", "import gittrack.integrations.keras"),
    (imports_go_down_only, "gittrack.api.x", "from gittrack.cli import main"),
    (imports_go_down_only, "gittrack.api.x", "from gittrack import start_run"),
    (imports_go_down_only, "gittrack.newcomer.x", ""),
    (libraries_stay_in_their_package, "gittrack.store.x", "import pygit2"),
    (libraries_stay_in_their_package, "gittrack.api.x", "def f():\n    import sqlite3"),
    (libraries_stay_in_their_package, "gittrack.api.x", "from dvc_data.hashfile import db"),
    (libraries_stay_in_their_package, "gittrack.api.x", "from dvc.api import open"),
    (libraries_stay_in_their_package, "gittrack.core.x", "from click import echo"),
    (only_git_runs_git, "gittrack.capture.x", 'command = ["git", "status"]'),
    (only_git_runs_git, "gittrack.api.x", 'subprocess.run(("git", "status"))'),
    (only_git_runs_git, "gittrack.cli.x", 'os.system("git status")'),
    (only_git_runs_git, "gittrack.store.x", 'shutil.which("git")'),
    (only_config_reads_the_environment, "gittrack.capture.x", "os.environ['HOME']"),
    (only_config_reads_the_environment, "gittrack.cli.x", "from os import getenv"),
    (core_is_pure, "gittrack.core.x", "import time"),
    (core_is_pure, "gittrack.core.x", "from pathlib import Path"),
    (core_is_pure, "gittrack.core.x", "def f():\n    from urllib.request import urlopen"),
    (core_is_pure, "gittrack.core.x", "datetime.datetime.now()"),
    (core_is_pure, "gittrack.core.x", "open('x')"),
    (core_is_pure, "gittrack.core.x", "import io\nio.open('x')"),
    (libraries_wait_until_used, "gittrack.api.x", "import pandas as pd"),
    (libraries_wait_until_used, "gittrack.api.x", "try:\n    import numpy\nexcept ImportError:\n    numpy = None"),
    (libraries_wait_until_used, "gittrack.artifacts.x", "from dvc_objects.fs import local"),
    (modules_and_functions_are_small, "gittrack.api.x", "x = 1\n" * (MODULE_LINES + 1)),
    (modules_and_functions_are_small, "gittrack.api.x", "def f():\n" + "    x = 1\n" * FUNCTION_LINES),
    (modules_are_named_for_what_they_hold, "gittrack.core.utils", ""),
    (modules_are_named_for_what_they_hold, "gittrack.manager", ""),
    (no_state_in_modules, "gittrack.api.x", "cache = {}"),
    (no_state_in_modules, "gittrack.api.x", "seen: set[str] = set()"),
    (no_state_in_modules, "gittrack.api.x", "active = contextvars.ContextVar('active')"),
    (no_state_in_modules, "gittrack.api.x", "def f():\n    global x\n    x = 1"),
    (no_state_in_modules, "gittrack.api.x", "CACHE = {}\ndef f():\n    CACHE['x'] = 1"),
    (no_state_in_modules, "gittrack.api.x", "SEEN = set()\ndef f():\n    SEEN.add(1)"),
]
GOOD: list[tuple[Rule, str, str]] = [
    (imports_go_down_only, "gittrack.cli.commands.ls", "from gittrack.api import listing\nfrom gittrack import errors"),
    (imports_go_down_only, "gittrack.core.x", "from .ids import RunId"),
    (libraries_stay_in_their_package, "gittrack.artifacts.x", "def f():\n    import dvc_data"),
    (only_git_runs_git, "gittrack.git.x", 'subprocess.run(["git", "status"])'),
    (only_config_reads_the_environment, "gittrack.config", "import os\nos.environ"),
    (core_is_pure, "gittrack.core.x", "import datetime\ndatetime.datetime.fromtimestamp(0)"),
    (core_is_pure, "gittrack.core.x", "import io\nio.StringIO()"),
    (libraries_wait_until_used, "gittrack.api.x", "def f():\n    import pandas"),
    (libraries_wait_until_used, "gittrack.api.x", "if TYPE_CHECKING:\n    import pandas"),
    (no_state_in_modules, "gittrack.api.x", "__all__ = ['x']\nNAMES = {'a': 1}\nfrozen = frozenset({1})"),
    (no_state_in_modules, "gittrack.api.fluent", "active = []"),
]
RULES = sorted({rule for rule, _, _ in BAD} | {no_import_cycle}, key=lambda rule: rule.__name__)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_gittrack_keeps_the_rule(rule):
    modules = load(PACKAGE)
    assert {"gittrack.errors", "gittrack.core.ids"} <= {module.name for module in modules}
    complaints = list(rule(modules))
    assert not complaints, "\n".join(["", *complaints])


@pytest.mark.parametrize(("rule", "name", "text"), BAD)
def test_the_rule_finds_what_breaks_it(rule, name, text):
    assert list(rule([module_of(name, text)]))


@pytest.mark.parametrize(("rule", "name", "text"), GOOD)
def test_the_rule_lets_pass_what_keeps_it(rule, name, text):
    assert list(rule([module_of(name, text)])) == []


def test_a_cycle_of_imports_is_found_and_who_only_imports_it_is_not_blamed():
    circle = [
        module_of("gittrack.core.a", "from gittrack.core import b"),
        module_of("gittrack.core.b", "from gittrack.core.c import thing"),
        module_of("gittrack.core.c", "try:\n    import gittrack.core.a\nexcept ImportError:\n    raise"),
        module_of("gittrack.core.innocent", "import gittrack.core.a"),
        module_of("gittrack.core.below", ""),
    ]
    (complaint,) = no_import_cycle(circle)
    assert complaint.endswith("gittrack.core.a, gittrack.core.b, gittrack.core.c")


def test_an_import_inside_a_function_or_for_types_makes_no_cycle():
    modules = [
        module_of("gittrack.core.a", "def f():\n    import gittrack.core.b"),
        module_of("gittrack.core.b", "import gittrack.core.a"),
        module_of("gittrack.core.c", "if TYPE_CHECKING:\n    from gittrack.core import d"),
        module_of("gittrack.core.d", "from gittrack.core import c"),
    ]
    assert list(no_import_cycle(modules)) == []


def test_every_layer_lies_above_what_it_imports():
    order: list[str] = []
    remaining = dict(MAY_IMPORT)
    while remaining:
        free = [name for name, below in remaining.items() if below <= set(order)]
        assert free, f"these layers import each other: {sorted(remaining)}"
        order.extend(free)
        for name in free:
            del remaining[name]
    assert order.index("core") < order.index("git") < order.index("store") < order.index("api") < order.index("cli")
