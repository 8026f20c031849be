"""Links between the documents lead somewhere: the file is there, and so is the heading."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "hooks").glob("*.md")])
FENCE = re.compile(r"^ {0,3}(`{3,}).*?^ {0,3}\1`*$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]\n]*(?:\n[^\]\n]*)?\]\((?P<target>[^)\s]+)\)|!\[[^\]]*\]\((?P<image>[^)\s]+)\)")
CODE = re.compile(r"(`+)(?:(?!`).|\n(?!\n))+?\1")


def prose(page: str) -> str:
    """A page without its fenced blocks."""
    return FENCE.sub("", page)


def links(page: str) -> list[str]:
    """The targets of a page's links, in order; what stands in code is none."""
    # Code inside a link's text may hold anything: `[`f(x)`](#f)` is a link.
    plain = CODE.sub("code", prose(page))
    return [match["target"] or match["image"] for match in LINK.finditer(plain)]


def anchors(page: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    found: set[str] = set()
    for heading in re.findall(r"^#{1,6} +(.+?)\s*$", prose(page), re.MULTILINE):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
        slug = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        number = 0
        while (name := f"{slug}-{number}" if number else slug) in found:
            number += 1
        found.add(name)
    return found


def broken(page: Path) -> list[str]:
    """The links of a page that lead nowhere."""
    wrong = []
    for target in links(page.read_text(encoding="utf-8")):
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue
        path, _, anchor = target.partition("#")
        place = (page.parent / path).resolve() if path else page
        if not place.exists():
            wrong.append(f"{target}: there is no such file")
        elif anchor and place.suffix == ".md" and anchor not in anchors(place.read_text(encoding="utf-8")):
            wrong.append(f"{target}: there is no such heading")
        elif not place.is_relative_to(ROOT):
            wrong.append(f"{target}: leaves the project")
    return wrong


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_every_link_leads_somewhere(page):
    assert broken(page) == []


def test_every_page_can_be_reached_from_the_readme():
    seen: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen:
            continue
        seen.add(page)
        for target in links(page.read_text(encoding="utf-8")):
            place = (page.parent / target.partition("#")[0]).resolve()
            if place.is_dir() and ROOT / "docs" in place.parents:
                waiting += place.glob("*.md")
            elif place.suffix == ".md" and place.exists() and place.is_relative_to(ROOT):
                waiting.append(place)
    pages = {page.resolve() for page in (ROOT / "docs").rglob("*.md")}
    assert not {str(page.relative_to(ROOT)) for page in pages - seen}


def test_documents_name_no_machine():
    wrong = []
    for page in PAGES:
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
            if re.search(r"(?<![\w./~<>-])/(?:home|root|work|Users|tmp/(?!gittrack))\w*", line):
                wrong.append(f"{page.relative_to(ROOT)}:{number}: {line.strip()}")
    assert not wrong, "\n".join(["", *wrong])


def test_a_broken_link_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# One `two(x)`\n[a](#one-twox) [b](#no) [c](none.md) [`d[0]`](page.md#one-twox)\n`[e](f.md)`\n")
    assert [line.partition(":")[0] for line in broken(page) if "leaves" not in line] == ["#no", "none.md"]


def test_links_in_blocks_are_none():
    assert links("```text\n[a](b.md)\n```\n[c\nd](e.md) ![f](g.png)\n") == ["e.md", "g.png"]


def test_headings_of_one_text_get_numbers():
    assert anchors("# A b\n## A b\n```sh\n# no\n```\n### `c.d(e=None, *, f)`\n") == {"a-b", "a-b-1", "cdenone--f"}
