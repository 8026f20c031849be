"""What public names say of themselves: every one has a docstring, and what it lists is what there is."""

from __future__ import annotations

import builtins
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import gittrack
import gittrack.errors

API_PAGE = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
MANY = 3
"""Parameters from which on a sentence cannot say what each is."""


def public_functions() -> Iterator[tuple[str, Callable[..., object]]]:
    """Public functions, and the public methods and properties of public classes, by their dotted names."""
    for name in gittrack.__all__:
        value = getattr(gittrack, name)
        if inspect.isfunction(value):
            yield name, value
        elif inspect.isclass(value):
            for member in dir(value):
                found = inspect.getattr_static(value, member)
                function = found.fget if isinstance(found, property) else found
                if not member.startswith("_") and inspect.isfunction(function):
                    yield f"{name}.{member}", function


FUNCTIONS = dict(public_functions())


def section(doc: str, title: str) -> str:
    """The text below ``title:`` of a docstring, or ``""``."""
    found = re.search(rf"^{title}:\n((?:(?: {{4}}.*)?\n?)*)", doc + "\n", re.MULTILINE)
    return found[1] if found else ""


def listed(doc: str, title: str) -> list[str]:
    """The names a section lists: ``a, b: text`` gives both."""
    lines = re.findall(r"^ {4}(\*{0,2}\w[\w, ]*?):(?: |$)", section(doc, title), re.MULTILINE)
    return [name.strip() for line in lines for name in line.split(",")]


def parameters(function: Callable[..., object]) -> list[str]:
    return [name for name in inspect.signature(function).parameters if name != "self"]


def referred(doc: str) -> str:
    """The docstring a docstring refers to by ``see :meth:`Run.x``, or ``""``."""
    found = re.search(r"see :(?:meth|func|class):`~?(?:gittrack\.)?([\w.]+)`", doc)
    return (inspect.getdoc(FUNCTIONS[found[1]]) or "") if found else ""


def page_section(name: str) -> str:
    """What ``docs/api.md`` says below the heading of a name."""
    found = re.search(rf"^###+ `{re.escape(name)}\([^\n]*\)`$\n(.*?)(?=^##|\Z)", API_PAGE, re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


@pytest.mark.parametrize("name", FUNCTIONS)
def test_there_is_a_docstring_of_whole_sentences(name):
    doc = inspect.getdoc(FUNCTIONS[name]) or ""
    first = doc.partition("\n\n")[0].replace("\n", " ")
    assert first.endswith((".", ":")), f"{name}: {first!r}"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_arguments_listed_are_all_there_are(name):
    doc = inspect.getdoc(FUNCTIONS[name]) or ""
    said, real = listed(doc, "Args"), parameters(FUNCTIONS[name])
    if said:
        assert [each.lstrip("*") for each in said] == real
    elif len(real) >= MANY:
        told = listed(referred(doc), "Args") or page_section(name.removeprefix("Run."))
        assert told, f"{name} says nothing of {', '.join(real)}"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_errors_listed_exist(name):
    for error in listed(inspect.getdoc(FUNCTIONS[name]) or "", "Raises"):
        found = getattr(gittrack.errors, error, getattr(builtins, error, None))
        assert inspect.isclass(found), f"{name} raises {error}?"
        assert issubclass(found, Exception)


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if parameters(FUNCTIONS[name])])
def test_the_reference_says_what_each_parameter_is(name):
    owner, _, member = name.rpartition(".")
    if owner == "Run" and member in gittrack.__all__:
        return  # described once, as a function of the module
    text = page_section(name)
    assert text, f"docs/api.md has no section `{name}(…)`"
    missing = [each for each in parameters(FUNCTIONS[name]) if f"`{each}`" not in text]
    assert not missing, f"docs/api.md does not say what {', '.join(missing)} of {name} is"


def test_every_error_of_the_code_is_in_the_reference():
    names = {name for name, value in vars(gittrack.errors).items() if inspect.isclass(value) and name.endswith("Error")}
    assert names
    assert names == set(re.findall(r"\b[A-Z]\w*Error\b", API_PAGE.partition("\n## Errors\n")[2].partition("\n## ")[0]))


def test_every_exit_code_of_the_reference_is_the_one_of_the_code():
    tree = API_PAGE.partition("\n## Errors\n")[2].partition("\n## ")[0]
    said = re.findall(r"(\w+Error) +(\d)\b", tree)
    assert said
    for name, code in said:
        assert getattr(gittrack.errors, name).exit_code == int(code)


def test_every_attribute_of_the_classes_is_in_the_reference():
    for cls in (gittrack.Run, gittrack.SavedRun):
        page = re.search(rf"^### `{cls.__name__}`$\n(.*?)(?=^### |^## )", API_PAGE, re.MULTILINE | re.DOTALL)
        assert page
        names = {name for name in dir(cls) if isinstance(inspect.getattr_static(cls, name), property)}
        names |= set(listed(inspect.getdoc(cls) or "", "Attributes"))
        assert not {name for name in names if not name.startswith("_") and f"`{name}`" not in page[1]}


# The machinery itself ------------------------------------------------------------------------------------------------


def test_sections_of_a_docstring_are_read_as_written():
    doc = "Do it.\n\nArgs:\n    a, b: two\n        lines: here.\n    *c: more.\n\nRaises:\n    KeyError: never.\n"
    assert listed(doc, "Args") == ["a", "b", "*c"]
    assert listed(doc, "Raises") == ["KeyError"]
    assert listed(doc, "Returns") == []


def test_the_public_functions_are_found():
    assert {"start_run", "log_metric", "Run.end", "Run.status", "SavedRun.history", "SavedRun.params"} <= set(FUNCTIONS)
