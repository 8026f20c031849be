"""Charts as one HTML page: the SVG, and a script that tells the values under the pointer.

The page needs no network and can reach none: its content security policy allows its own script and style, by their
hashes, and nothing else. Names are data: they reach the page as text nodes only.
"""

from __future__ import annotations

import json
import math
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from html import escape
from typing import Any

from gittrack.core.curves import Chart, Curve, value_text
from gittrack.core.names import display
from gittrack.core.svg_chart import ABOVE, PLOT_HEIGHT, RIGHT, WIDTH, Panel, look_of, panels_of, svg_of

STYLE = """
body { margin: 1rem auto; max-width: 800px; padding: 0 1rem; font: 14px system-ui, Helvetica, Arial, sans-serif; color: #333; background: #fff; }
svg { width: 100%; height: auto; display: block; }
#readout { position: fixed; right: 1rem; top: 1rem; padding: .5rem .75rem; background: #fff; border: 1px solid #999; font-variant-numeric: tabular-nums; }
#readout:empty { display: none; }
#readout p { margin: .15rem 0; }
"""  # noqa: E501

SCRIPT = """
"use strict";
(function () {
  const panels = JSON.parse(document.getElementById("points").textContent);
  const svg = document.querySelector("svg");
  const readout = document.getElementById("readout");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
  line.setAttribute("stroke", "#666666");
  line.setAttribute("pointer-events", "none");
  svg.appendChild(line);

  function nearest(places, x) {
    let low = 0, high = places.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (places[middle] < x) { low = middle + 1; } else { high = middle; }
    }
    return low > 0 && x - places[low - 1] <= places[low] - x ? low - 1 : low;
  }

  function paragraph(text, colour) {
    const element = document.createElement("p");
    if (colour) {
      const mark = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      const circle = document.createElementNS("http://www.w3.org/2000/svg", "circle");
      mark.setAttribute("viewBox", "0 0 10 10");
      mark.setAttribute("width", "10");
      mark.setAttribute("height", "10");
      mark.style.cssText = "display:inline-block;width:10px;height:10px;margin-right:6px";
      circle.setAttribute("cx", "5");
      circle.setAttribute("cy", "5");
      circle.setAttribute("r", "5");
      circle.setAttribute("fill", colour);
      mark.appendChild(circle);
      element.appendChild(mark);
    }
    element.appendChild(document.createTextNode(text));
    return element;
  }

  function clear() {
    readout.replaceChildren();
    line.setAttribute("d", "");
  }

  function show(event) {
    const box = svg.getBoundingClientRect();
    const scale = svg.viewBox.baseVal.width / box.width;
    const x = (event.clientX - box.left) * scale, y = (event.clientY - box.top) * scale;
    const panel = panels.find((each) => y >= each.top && y <= each.bottom && x >= each.left && x <= each.right);
    if (!panel) { clear(); return; }
    const lines = [];
    let best = null;
    for (const curve of panel.curves) {
      if (!curve.places.length) { continue; }
      const index = nearest(curve.places, x);
      if (best === null || Math.abs(curve.places[index] - x) < Math.abs(best - x)) { best = curve.places[index]; }
      lines.push(paragraph(curve.label + ": " + curve.values[index] + " at " + curve.at[index], curve.colour));
    }
    if (best === null) { clear(); return; }
    line.setAttribute("d", "M" + best + " " + panel.top + "V" + panel.bottom);
    readout.replaceChildren(paragraph(panel.title), ...lines);
  }

  svg.addEventListener("pointermove", show);
  svg.addEventListener("pointerdown", show);
  svg.addEventListener("pointerleave", clear);
}());
"""


def html_text(charts: Sequence[Chart], title: str) -> str:
    """An HTML document.

    Args:
        charts: drawn below each other.
        title: of the page; may hold anything, as every name in the charts.
    """
    panels = panels_of(charts)
    policy = (
        f"default-src 'none'; script-src '{_hash(SCRIPT)}'; style-src '{_hash(STYLE)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">',
            '<meta name="referrer" content="no-referrer">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(display(title))}</title>",
            f"<style>{STYLE}</style>",
            "</head>",
            "<body>",
            svg_of(panels, title) + '<div id="readout" role="status"></div>',
            f'<script type="application/json" id="points">{_data(panels)}</script>',
            f"<script>{SCRIPT}</script>",
            "</body>",
            "</html>",
            "",
        ]
    )


def _hash(text: str) -> str:
    return "sha256-" + b64encode(sha256(text.encode()).digest()).decode()


def _data(panels: Sequence[Panel]) -> str:
    """The points as JSON that cannot end the element it stands in: ``<``, ``>`` and ``&`` are escapes."""
    text = json.dumps([_panel(panel) for panel in panels], separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _panel(panel: Panel) -> dict[str, Any]:
    return {
        "title": display(panel.chart.title),
        "left": panel.left,
        "right": WIDTH - RIGHT,
        "top": panel.top + ABOVE,
        "bottom": panel.top + ABOVE + PLOT_HEIGHT,
        "curves": [_curve(panel, curve, number) for number, curve in enumerate(panel.chart.curves)],
    }


def _curve(panel: Panel, curve: Curve, number: int) -> dict[str, Any]:
    """The points of a curve that have a place; a NaN has one too, and is told as such."""
    points = [(panel.x(x), x, index) for index, x in enumerate(curve.xs)]
    points = [point for point in points if math.isfinite(point[0])]
    return {
        "label": display(curve.label, 60),
        "colour": look_of(number)[0],
        "places": [round(place, 1) for place, _, _ in points],
        "at": [panel.x_axis.text(x) for _, x, _ in points],
        "values": [value_text(curve, index) for _, _, index in points],
    }
