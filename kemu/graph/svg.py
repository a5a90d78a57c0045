"""The drawing as SVG. Styles are in the file, for light and dark; nothing is fetched from anywhere."""

from __future__ import annotations

from html import escape

from kemu.graph.layout import Box, Label, Shape, Wire, lay_out
from kemu.graph.picture import Picture

#: Colours by selector and property, light and dark. Plain values: converters know no variables.
_COLOURS = (
    ("svg", "background", "#ffffff", "#14181d"),
    (".paper", "fill", "#ffffff", "#14181d"),
    ("text", "fill", "#1f2933", "#e4e7eb"),
    (".label, .more, .link", "fill", "#61707f", "#9aa5b1"),
    (".label, .note, .alarm, .link", "stroke", "#ffffff", "#14181d"),
    (".note", "fill", "#b4531f", "#e8905f"),
    (".alarm", "fill", "#c81e1e", "#ff8080"),
    (".node", "fill", "#eef3f8", "#1d2630"),
    (".node, .device", "stroke", "#9fb3c8", "#486581"),
    (".host", "fill", "#f3ecfa", "#2a2137"),
    (".host", "stroke", "#a68bc4", "#7a5fa0"),
    (".pod", "fill", "#d9f0e3", "#173a2a"),
    (".pod", "stroke", "#5fae84", "#3f9068"),
    (".device", "fill", "#ffffff", "#14181d"),
    (".bridge, .router", "fill", "#fdeecb", "#3c3118"),
    (".bridge, .router", "stroke", "#d9a94a", "#a67c2e"),
    (".pod.trouble, .device.trouble, .bridge.trouble", "fill", "#fde8e8", "#4a1a1a"),
    (".trouble, .cable.down", "stroke", "#c81e1e", "#ff8080"),
    (".cable, .segment", "stroke", "#52606d", "#9aa5b1"),
    (".tunnel", "stroke", "#c4612f", "#e8905f"),
)
_SHAPE = """
text { font: 11px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace }
.title { font-size: 15px; font-weight: bold }
.name { font-size: 12px; font-weight: bold }
.alarm { font-weight: bold }
.link { text-anchor: end }
.label, .note, .alarm, .link { paint-order: stroke; stroke-width: 4; stroke-linejoin: round }
rect { stroke-width: 1.2 }
rect.trouble { stroke-width: 2.4 }
polyline { fill: none; stroke-linejoin: round }
.cable { stroke-width: 1.4 }
.segment { stroke-width: 3.5 }
.tunnel { stroke-width: 1.8; stroke-dasharray: 6 4 }
.cable.down { stroke-width: 2; stroke-dasharray: 3 4 }
"""
_LINE = 14


def show_svg(picture: Picture) -> str:
    """Return a picture as an SVG file."""
    drawing = lay_out(picture)
    size = f'width="{drawing.width:.0f}" height="{drawing.height:.0f}" viewBox="0 0 {drawing.width:.0f} {drawing.height:.0f}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{escape(picture.title)}">'
    paper = '<rect class="paper" width="100%" height="100%"/>'
    return "\n".join([head, f"<style>{_style()}</style>", paper, *map(_shape, drawing.shapes), "</svg>", ""])


def _style() -> str:
    light, dark = ("\n".join(f"{row[0]} {{ {row[1]}: {row[column]} }}" for row in _COLOURS) for column in (2, 3))
    return f"{_SHAPE}{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n"


def _shape(shape: Shape) -> str:
    match shape:
        case Box():
            return _box(shape)
        case Wire(points=points, look=look, hint=hint):
            places = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
            return f'<polyline class="{look}" points="{places}">{_title(hint)}</polyline>'
        case Label(x=x, y=y, text=text, look=look):
            return f'<text class="{look}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'


def _box(box: Box) -> str:
    """Return a rectangle with its lines in the middle: the first the name, the others softer."""
    place = f'x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}"'
    parts = [f'<rect class="{box.look}" {place} rx="6">{_title(box.hint)}</rect>']
    first = box.y + box.height / 2 + 4 - _LINE * (len(box.lines) - 1) / 2
    for number, line in enumerate(box.lines):
        look = "more" if number else "first"
        parts.append(
            f'<text class="{look}" text-anchor="middle" pointer-events="none" x="{box.x + box.width / 2:.1f}"'
            f' y="{first + _LINE * number:.1f}">{escape(line)}</text>'
        )
    return "".join(parts)


def _title(hint: str) -> str:
    return f"<title>{escape(hint)}</title>" if hint else ""
