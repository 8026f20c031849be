"""Charts as characters, SVG and HTML: right, whole, and safe whatever their names hold."""

from __future__ import annotations

import html.parser
import itertools
import json
import math
import re
import shutil
import subprocess
from base64 import b64encode
from hashlib import sha256
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gittrack.core.curves import Chart, Curve
from gittrack.core.html_chart import html_text
from gittrack.core.names import cell_width, display
from gittrack.core.svg_chart import COLOURS, MOST_POINTS, svg_text
from gittrack.core.terminal_chart import chart_lines

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "evil\x1b[31m\x00\u202e<script>alert(1)</script>&\"'\ud800\ufffe]]>"
VALUES = st.floats(allow_nan=True, allow_infinity=True, width=64)
POINTS = st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), VALUES), max_size=30)


def curve(values, label="run", xs=None):
    return Curve(label, "1" * 32, list(range(len(values))) if xs is None else xs, values)


def text(chart, width=80, height=15, **options):
    return ["".join(span.text for span in line) for line in chart_lines(chart, width, height, **options)]


@st.composite
def charts(draw):
    curves = []
    for number in range(draw(st.integers(0, 4))):
        points = sorted(draw(POINTS), key=lambda point: point[0])
        label = draw(st.text(max_size=60)) + str(number)
        curves.append(Curve(label, "1" * 32, [x for x, _ in points], [y for _, y in points]))
    by = draw(st.sampled_from(["step", "time", "relative"]))
    return Chart(draw(st.text(max_size=100)), tuple(curves), by, draw(st.booleans()), draw(st.booleans()))


@settings(max_examples=150)
@given(charts(), st.integers(20, 120), st.integers(3, 20), st.booleans())
def test_no_line_is_wider_than_asked_and_nothing_controls_the_terminal(chart, width, height, ascii_only):
    for line in text(chart, width, height, ascii_only=ascii_only):
        assert cell_width(line) <= max(width, 28)
        assert display(line) == line
        assert line.isascii() or not ascii_only


def test_a_falling_curve_falls():
    assert text(Chart("loss", (curve([1.0, 0.5, 0.0]),)), 40, 3) == [
        "loss",
        "1.0 ┤⠉⠑⠒⠒⠢⠤⠤⢄⣀⣀",
        "0.5 ┤          ⠉⠉⠉⠒⠒⠒⠤⠤⠤⣀⣀⣀⡀",
        "  0 ┤                      ⠈⠉⠉⠉⠒⠒⠒⠢⠤⠤⠤⣀⣀",
        "    └┬────────────────┬────────────────┬",
        "     0                1                2",
        "     step",
        "  run  last 0  min 0  max 1",
    ]


def test_several_curves_are_told_apart_without_colour():
    both = Chart("loss", (curve([1.0] * 50, "first"), curve([2.0] * 50, "second")))
    lines = text(both, 60, 7)
    assert "B" in lines[1]
    assert "A" in lines[7]
    assert lines[-2].startswith("A first ")
    assert lines[-1].startswith("B second ")
    ascii_lines = text(both, 60, 7, ascii_only=True)
    assert "+" in ascii_lines[1]
    assert "*" in ascii_lines[7]
    assert ascii_lines[-2].startswith("* first ")


def test_curves_on_each_other_are_both_seen():
    line = text(Chart("loss", (curve([1.0] * 50, "first"), curve([1.0] * 50, "second"))), 60, 3, ascii_only=True)[2]
    assert line.count("*") > 10
    assert line.count("+") > 10


def test_a_gap_is_left_open_and_infinities_are_arrows():
    lines = text(Chart("loss", (curve([0.0, math.nan, 0.0, math.inf, 0.0, -math.inf, 1.0]),)), 60, 7)
    assert lines[1].count("▲") == 1
    assert lines[7].count("▼") == 1
    assert lines[-1] == "  run  last 1  min 0  max 1  1 nan, 1 inf, 1 -inf"
    dotted = [sum("\u2800" < char <= "\u28ff" for char in line) for line in lines[1:8]]
    assert sum(dotted) == 4  # nothing but the single points: each stands between gaps


@pytest.mark.parametrize("value", [0.0, 5.0, -1e308, 1e308, 5e-324])
def test_a_curve_that_never_changes_lies_in_the_middle(value):
    lines = text(Chart("loss", (curve([value] * 5),)), 60, 7)
    assert "⠤⠤⠤" in lines[4] or "⠒⠒⠒" in lines[4] or "⠉⠉" in lines[4] or "⣀⣀" in lines[4]


def test_one_point_is_seen_and_no_point_is_said():
    one = text(Chart("loss", (curve([0.5]),)), 60, 5)
    assert sum("\u2800" < char <= "\u28ff" for line in one for char in line) == 1
    assert text(Chart("loss", (curve([]),)))[1:] == ["  no points to draw", "  run  no points"]
    assert text(Chart("loss", (curve([-1.0]),), log_y=True))[1:] == [
        "  no points to draw above zero",
        "  run  last -1  min -1  max -1  1 not above 0",
    ]


def test_names_of_wide_characters_keep_the_legend_in_line():
    lines = text(Chart("損失", (curve([1.0, 2.0], "日本語"), curve([2.0, 1.0], "ab"))))
    ends = [cell_width(line[: line.index("  last")]) for line in lines[-2:]]
    assert ends[0] == ends[1]


def test_a_long_name_is_cut_and_its_numbers_are_not():
    line = text(Chart("loss", (curve([1.0, 2.0], "n" * 300),)))[-1]
    assert "…" in line
    assert line.endswith("last 2  min 1  max 2")


# SVG ----------------------------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(st.lists(charts(), min_size=1, max_size=3))
def test_an_svg_is_well_formed_and_its_numbers_are_finite(several):
    root = ElementTree.fromstring(svg_text(several, several[0].title))
    assert root.tag == f"{SVG}svg"
    for element in root.iter():
        for name, value in element.attrib.items():
            if name in {"d", "x", "y", "cx", "cy", "height"}:
                assert not re.search("nan|inf", value), (name, value)


def test_hostile_names_are_text_in_an_svg():
    written = svg_text([Chart(HOSTILE, (curve([1.0, 2.0], HOSTILE),))], HOSTILE)
    root = ElementTree.fromstring(written)
    assert not list(root.iter(f"{SVG}script"))
    assert "<script" not in written
    assert any("<script>" in (element.text or "") for element in root.iter(f"{SVG}title"))


def test_an_svg_names_nothing_outside_itself():
    written = svg_text([Chart("loss", (curve([1.0, 2.0]),))], "loss")
    assert re.findall(r"https?://[^\"' ]+", written) == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"href|url\(|@import|<style|<script|\bon\w+=", written)


def test_every_curve_has_a_colour_a_tooltip_and_a_line_in_the_legend():
    several = Chart("loss", tuple(curve([1.0, 2.0], f"run-{number}") for number in range(9)))
    root = ElementTree.fromstring(svg_text([several], "loss"))
    groups = [group for group in root.iter(f"{SVG}g") if "stroke" in group.attrib]
    titles = [group.findtext(f"{SVG}title") for group in groups]
    assert titles[0] == "run-0: last 2, min 1, max 2"
    assert len(titles) == 9
    looks = {(group.get("stroke"), group.find(f"{SVG}path").get("stroke-dasharray")) for group in groups}
    assert len(looks) == 9
    assert {colour for colour, _ in looks} == set(COLOURS)
    labels = [element.text for element in root.iter(f"{SVG}text")]
    assert sum(label.startswith("run-") for label in labels) == 9
    points = [element.findtext(f"{SVG}title") for element in root.iter(f"{SVG}circle")]
    assert "run-8: 2 at 1" in points


def test_smoothing_shows_what_was_smoothed_too():
    smooth = Chart("loss", (Curve("a", "1", [0, 1, 2], [1.0, 1.5, 1.2], [1.0, 9.0, 0.0]),))
    root = ElementTree.fromstring(svg_text([smooth], "loss"))
    faint = [group for group in root.iter(f"{SVG}g") if group.get("opacity") == "0.3"]
    assert len(faint) == 1
    assert "max 9" in root.find(f".//{SVG}g[@opacity]/{SVG}title").text


def test_a_long_curve_makes_no_large_file_and_keeps_its_spike():
    values = [0.0] * 500_000
    values[123_456] = 1.0
    written = svg_text([Chart("loss", (curve(values),))], "loss")
    assert len(written) < 60 * MOST_POINTS
    assert re.search(r"L\d+\.\d 44\.0L", written)  # the upper edge


def test_a_legend_counts_the_whole_curve_however_little_of_it_is_drawn():
    values = [math.sin(number / 50) for number in range(20_000)]
    values[100] = values[9000] = values[9001] = math.nan
    below = sum(value <= 0 for value in values)
    chart = Chart("loss", (curve(values),), log_y=True)
    legend = text(chart)[-1]
    assert "3 nan" in legend
    assert f"{below} not above 0" in legend
    facts = ", ".join(legend.strip().removeprefix("run").strip().split("  "))
    root = ElementTree.fromstring(svg_text([chart], "loss"))
    assert [element.text for element in root.iter(f"{SVG}text")][-1] == f"run: {facts}"
    assert f"<title>run: {facts}</title>" in html_text([chart], "loss")


def test_what_has_no_place_on_a_logarithmic_axis_takes_no_place_of_an_extreme():
    values = [10.0 if number % 2 else -1.0 for number in range(50_000)]
    values[30_001] = 1e-3
    lines = text(Chart("loss", (curve(values),), log_y=True))
    assert any(line.startswith(("1.00e-3", "0.001")) for line in lines)


def test_a_tooltip_of_a_smoothed_curve_says_so_and_tells_what_was_logged():
    chart = Chart("loss", (Curve("a", "1", [0, 1], [1.0, 1.5], [1.0, 9.0]),))
    assert "<title>a: 1.5 smoothed, 9 logged at 1</title>" in svg_text([chart], "loss")
    assert "1.5 smoothed, 9 logged" in html_text([chart], "loss")


def test_labels_below_a_chart_leave_a_blank_between_them():
    offset = 1_000_000.3
    for span in (0.3, 3.0, 60.0, 5000.0):
        xs = [offset + span * number / 10 for number in range(11)]
        chart = Chart("loss", (curve([float(x) for x in range(11)], xs=xs),), "relative")
        below = text(chart, 60)[-3]
        assert len(below.split()) == text(chart, 60)[-4].count("┬") >= 2, below
        root = ElementTree.fromstring(svg_text([chart], "loss"))
        labels = [each for each in root.iter(f"{SVG}text") if re.fullmatch(r"[\d.dhms]+[dhms]", each.text)]
        assert len(labels) >= 2
        ends = [(float(each.get("x")), len(each.text) * 4) for each in labels]
        assert all(left + half < right - other for (left, half), (right, other) in itertools.pairwise(ends))


# HTML ---------------------------------------------------------------------------------------------------------------


class Page(html.parser.HTMLParser):
    """What a browser would see: elements with their attributes, and the text of those that are raw."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.raw, self.within = [], {"script": [], "style": []}, ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag in self.raw:
            self.raw[tag].append("")
        self.within = tag

    def handle_endtag(self, tag):
        self.within = ""

    def handle_data(self, data):
        if self.within in self.raw:
            self.raw[self.within][-1] += data


@pytest.fixture
def hostile_page():
    return html_text([Chart(HOSTILE, (curve([1.0, math.nan, math.inf], HOSTILE + "</script><img src=x>"),))], HOSTILE)


def test_the_policy_allows_the_script_and_the_style_of_the_page_and_nothing_else(hostile_page):
    page = Page(hostile_page)
    (policy,) = [each["content"] for tag, each in page.elements if each.get("http-equiv") == "Content-Security-Policy"]
    hashes = [f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" for text in page.raw["style"]]
    script = page.raw["script"][-1]
    hashes += [f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'"]
    assert policy == (
        f"default-src 'none'; script-src {hashes[1]}; style-src {hashes[0]}; base-uri 'none'; form-action 'none'"
    )
    assert "unsafe" not in policy


def test_hostile_names_make_no_element_and_no_attribute(hostile_page):
    page = Page(hostile_page)
    tags = [tag for tag, _ in page.elements]
    assert tags.count("script") == 2
    assert "img" not in tags
    assert not any(
        name.startswith("on") or name in {"href", "src", "style"} for _, each in page.elements for name in each
    )
    (data,) = (json.loads(page.raw["script"][0]),)
    assert data[0]["curves"][0]["values"] == ["1", "nan", "inf"]
    assert "\x1b" not in hostile_page


def test_a_page_names_nothing_outside_itself():
    written = html_text([Chart("loss", (curve([1.0, 2.0]),))], "loss")
    assert set(re.findall(r"https?://[^\"' ]+", written)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"fetch\(|XMLHttp|import\(|innerHTML|eval\(", written)


NODE = """
const page = JSON.parse(require("fs").readFileSync(0, "utf8"));
const element = (tag) => ({tag, attributes: {}, children: [], style: {}, listeners: {},
  setAttribute(name, value) { this.attributes[name] = value; },
  appendChild(child) { this.children.push(child); },
  replaceChildren(...children) { this.children = children; },
  addEventListener(name, f) { this.listeners[name] = f; },
  getBoundingClientRect() { return {left: 0, top: 0, width: 400}; },
  viewBox: {baseVal: {width: 800}}});
const svg = element("svg"), readout = element("div"), points = {textContent: page.data};
global.document = {
  getElementById: (id) => ({points, readout}[id]), querySelector: () => svg,
  createElementNS: (_, tag) => element(tag), createElement: element,
  createTextNode: (text) => ({text}),
};
(0, eval)(page.script);
svg.listeners.pointermove({clientX: page.x, clientY: page.y});
const said = readout.children.map((each) => each.children.map((part) => part.text || "").join(""));
svg.listeners.pointerleave();
console.log(JSON.stringify({said, left: readout.children.length}));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
@pytest.mark.parametrize(("x", "said"), [(38, "0"), (382, "10"), (200, "5")])
def test_the_script_tells_the_values_under_the_pointer(x, said):
    chart = Chart("loss", (curve([float(number) for number in range(11)], "run\x1b"),))
    page = Page(html_text([chart], "loss"))
    task = {"data": page.raw["script"][0], "script": page.raw["script"][-1], "x": x, "y": 100}
    done = subprocess.run(["node", "-e", NODE], input=json.dumps(task), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"said": ["loss", f"run\\x1b: {said} at {said}"], "left": 0}
