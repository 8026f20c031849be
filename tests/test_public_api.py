"""The public names are exactly those that ``docs/api.md`` describes, with the parameters it gives them.

A heading of that page is one public name: ``### `log_param(key, value)` ``, ``### `Run` ``, ``### `Run.finish()` ``.
A heading that ends its parameters in ``...`` leaves the rest open.
"""

from __future__ import annotations

import ast
import inspect
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

import gittrack

API_PAGE = Path(__file__).resolve().parent.parent / "docs" / "api.md"
HEADING = re.compile(r"^###+ `(?P<name>[A-Za-z_][\w.]*)(?:\((?P<parameters>.*)\))?(?: -> .*)?`\s*$", re.MULTILINE)

SAME_ON_RUN = (
    "log_param log_params log_metric log_metrics set_tag set_tags delete_tag set_note log_text log_dict log_figure "
    "log_image log_table log_artifact log_artifacts log_artifact_uri log_model log_input should_stop"
).split()
"""What works on the module as on the ``Run``."""
PROMISED = ("set_experiment start_run active_run end_run seed track get_run runs Run " + " ".join(SAME_ON_RUN)).split()


@dataclass(frozen=True, slots=True)
class Heading:
    """One documented name; ``parameters`` is None where the heading has no parentheses."""

    name: str
    parameters: str | None


def headings(page: str) -> list[Heading]:
    """Every documented name of the page, ``gittrack.`` before it left out."""
    found = HEADING.finditer(page)
    return [Heading(match["name"].removeprefix("gittrack."), match["parameters"]) for match in found]


def parameter_names(parameters: str) -> tuple[list[str], bool]:
    """The names in a heading's parentheses, and whether it leaves more of them open."""
    text, opens = parameters.strip(), False
    if text.endswith(("...", "…")):
        text, opens = text.rstrip(".… ").rstrip(","), True
    tree = ast.parse(f"def f({text}): ...").body[0]
    assert isinstance(tree, ast.FunctionDef)
    one, more = tree.args.vararg, tree.args.kwarg
    names = [
        arg.arg for arg in [*tree.args.posonlyargs, *tree.args.args, *([one] if one else []), *tree.args.kwonlyargs]
    ]
    return [*names, *([more.arg] if more else [])], opens


def real_names(value: object) -> list[str]:
    return [name for name in inspect.signature(value).parameters if name != "self"]  # type: ignore[arg-type]


def documented() -> list[Heading]:
    return headings(API_PAGE.read_text(encoding="utf-8"))


def test_the_public_names_are_exactly_the_documented_ones():
    top = {heading.name for heading in documented() if "." not in heading.name}
    assert set(gittrack.__all__) == top
    assert len(gittrack.__all__) == len(set(gittrack.__all__))


def test_every_promised_name_is_public():
    assert set(PROMISED) <= set(gittrack.__all__)


def test_every_public_name_exists_and_says_what_it_is():
    for name in gittrack.__all__:
        value = getattr(gittrack, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert inspect.getdoc(value), f"{name} has no docstring"


def test_dir_shows_the_public_names_before_they_are_loaded():
    assert set(gittrack.__all__) <= set(dir(gittrack))


def test_an_unknown_name_is_an_attribute_error_that_names_it():
    with pytest.raises(AttributeError, match="no_such_name"):
        gittrack.no_such_name  # noqa: B018


def test_documented_parameters_are_the_real_ones():
    wrong = []
    for heading in documented():
        value: object = gittrack
        for part in heading.name.split("."):
            value = getattr(value, part)
        if heading.parameters is None or not callable(value):
            continue
        said, opens = parameter_names(heading.parameters)
        real = real_names(value)
        if said != (real[: len(said)] if opens else real):
            wrong.append(f"{heading.name}: documented {said}, real {real}")
    assert not wrong, "\n".join(["", *wrong])


@pytest.mark.parametrize("name", SAME_ON_RUN)
def test_the_function_and_the_method_take_the_same_parameters(name):
    assert real_names(getattr(gittrack, name)) == real_names(getattr(gittrack.Run, name))


def test_headings_are_read_as_written():
    page = "### `gittrack.seed(n)`\n## `no`\n### `Run`\n#### `Run.finish(status=None) -> None`\n### plain\n"
    assert headings(page) == [Heading("seed", "n"), Heading("Run", None), Heading("Run.finish", "status=None")]


def test_parameters_of_a_heading_are_read_as_python():
    assert parameter_names("key, value: float = 1.0, *, step=None, **rest") == (["key", "value", "step", "rest"], False)
    assert parameter_names("name, ...") == (["name"], True)
    assert parameter_names("") == ([], False)
