"""The picture as a page that stands alone: the drawing, what is wrong in words, and a little script to zoom and to ask a box."""

from __future__ import annotations

from html import escape

from kemu.graph.picture import Picture
from kemu.graph.svg import show_svg

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark }}
body {{ margin: 0; font: 14px system-ui, sans-serif }}
header {{ position: sticky; top: 0; padding: 8px 16px; display: flex; gap: 12px; align-items: center;
  background: Canvas; border-bottom: 1px solid }}
header b {{ flex: 1 }}
main {{ overflow: auto; height: calc(100vh - 46px) }}
#asked {{ position: fixed; right: 16px; bottom: 16px; max-width: 50ch; padding: 12px 16px; white-space: pre-wrap; background: Canvas;
  border: 1px solid; border-radius: 8px; font: 12px ui-monospace, monospace }}
#asked:empty {{ display: none }}
svg rect:has(title), svg polyline:has(title) {{ cursor: help }}
</style>
<header><b>{title}</b><button data-zoom="0.8">−</button><button data-zoom="0">1:1</button><button data-zoom="1.25">+</button></header>
<main>
{svg}
{trouble}</main>
<div id="asked" role="status"></div>
<script>
const svg = document.querySelector("svg"), asked = document.getElementById("asked");
const [width, height] = ["width", "height"].map(side => parseFloat(svg.getAttribute(side)));
let scale = 1;
document.querySelectorAll("[data-zoom]").forEach(button => button.onclick = () => {{
  scale = parseFloat(button.dataset.zoom) * scale || 1;
  svg.setAttribute("width", width * scale);
  svg.setAttribute("height", height * scale);
}});
svg.onclick = event => asked.textContent = event.target.querySelector?.("title")?.textContent ?? "";
</script>
</html>
"""


def show_html(picture: Picture) -> str:
    """Return a picture as an HTML page that fetches nothing."""
    return _PAGE.format(title=escape(picture.title), svg=show_svg(picture), trouble=_trouble(picture))


def _trouble(picture: Picture) -> str:
    machines = [machine for segment in picture.segments for machine in segment.machines]
    inside = [
        line for machine in machines for line in (*machine.trouble, *(line for pod in machine.pods for line in pod.trouble))
    ]
    lines = dict.fromkeys([*inside, *picture.trouble])
    items = "".join(f"<li>{escape(line)}</li>\n" for line in lines)
    return f"<h2>Not as it should be</h2>\n<ul>\n{items}</ul>\n" if items else ""
