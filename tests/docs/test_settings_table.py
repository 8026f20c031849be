"""The table of settings in ``docs/api.md`` is what ``gittrack/config.py`` says."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import gittrack.config
from gittrack.config import Config, git_key, read_config, variable

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
SETTINGS = PAGE.partition("\n## Settings\n")[2].partition("\n## ")[0]
VARIABLES = PAGE.partition("\n## Environment variables\n")[2].partition("\n## ")[0]


def rows(section: str) -> list[list[str]]:
    """The cells of a section's table, headings left out."""
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_every_setting_has_a_row_in_the_order_of_the_code():
    assert [row[0] for row in rows(SETTINGS)] == [field.name for field in fields(Config)]


def test_each_row_names_its_git_key_and_its_variable():
    for name, _, key, environment, text in rows(SETTINGS):
        assert (key, environment) == (git_key(name), variable(name))
        assert text


def test_each_default_is_read_as_the_default_of_the_code():
    for name, default, *_ in rows(SETTINGS):
        assert getattr(read_config({variable(name): default}, {}, {}), name) == getattr(Config(), name), name


def test_every_variable_that_the_code_reads_by_itself_is_described():
    source = Path(gittrack.config.__file__).read_text(encoding="utf-8")
    read = set(re.findall(r'environ\.(?:get|pop)\("(GITTRACK_\w+)"|environ\["(GITTRACK_\w+)"\]', source))
    names = {name for pair in read for name in pair if name}
    assert names
    assert names <= {row[0] for row in rows(VARIABLES)}
