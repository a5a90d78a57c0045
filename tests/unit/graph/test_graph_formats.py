"""The formats of a picture: well formed, complete, and nothing on top of something else."""

from __future__ import annotations

import re
from itertools import combinations
from xml.etree import ElementTree

import pytest

from kemu.api import Topology
from kemu.api.picturing import FORMATS, picture_of_topology
from kemu.api.topology import examples
from kemu.graph.dot import show_dot
from kemu.graph.html import show_html
from kemu.graph.layout import WIDTH, Box, Drawing, Wire, lay_out
from kemu.graph.mermaid import show_mermaid
from kemu.graph.picture import Picture, build_picture
from kemu.graph.svg import show_svg

EXAMPLES = [example.name for example in examples()]
ODD = "name: lab\nnodes: 1\nhosts: [{name: h}]\n"


def _picture(name: str) -> Picture:
    return picture_of_topology(Topology.load(name))


def _troubled() -> Picture:
    topology = Topology.load("two-nodes")
    trouble = {("n1", "cni0"): ('say "<b>&" twice',), ("fabric", "br.lan"): ("no switch",)}
    return build_picture(topology.model, topology.plan(), state="drifted", trouble=trouble)


@pytest.mark.parametrize("name", EXAMPLES)
def test_svg_is_xml_and_names_everybody(name: str) -> None:
    picture = _picture(name)
    root = ElementTree.fromstring(show_svg(picture))
    said = " ".join(root.itertext())
    machines = [machine for segment in picture.segments for machine in segment.machines]
    wanted = [machine.name for machine in machines] + [pod.name for machine in machines for pod in machine.shown_pods]
    assert [one for one in wanted if one not in said.split() and one not in said] == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_boxes_do_not_overlap_and_are_in_the_picture(name: str) -> None:
    drawing = lay_out(_picture(name))
    machines = [
        shape for shape in drawing.shapes if isinstance(shape, Box) and shape.look.split()[0] in ("node", "host", "router")
    ]
    others = [shape for shape in drawing.shapes if isinstance(shape, Box) and shape not in machines]
    for boxes in (machines, others):
        assert [(one.lines, other.lines) for one, other in combinations(boxes, 2) if _overlap(one, other)] == []
    assert all(any(_holds(machine, other) for machine in machines) for other in others)
    assert all(0 <= x <= drawing.width and 0 <= y <= drawing.height for x, y in _corners(drawing))


def _overlap(one: Box, other: Box) -> bool:
    beside = one.x + one.width <= other.x or other.x + other.width <= one.x
    return not beside and one.y < other.y + other.height and other.y < one.y + one.height


def _holds(outer: Box, inner: Box) -> bool:
    wide = outer.x <= inner.x and inner.x + inner.width <= outer.x + outer.width
    return wide and outer.y <= inner.y and inner.y + inner.height <= outer.y + outer.height


def _corners(drawing: Drawing) -> list[tuple[float, float]]:
    boxes = [shape for shape in drawing.shapes if isinstance(shape, Box)]
    wires = [shape for shape in drawing.shapes if isinstance(shape, Wire)]
    return [*((box.x + box.width, box.y + box.height) for box in boxes), *(point for wire in wires for point in wire.points)]


def test_text_fits_into_its_box() -> None:
    for shape in lay_out(_picture("dual-stack")).shapes:
        if isinstance(shape, Box) and shape.lines:
            assert max(map(len, shape.lines)) * 6.6 <= shape.width
            assert len(shape.lines) * 14 <= shape.height


def test_many_machines_stand_in_rows() -> None:
    drawing = lay_out(picture_of_topology(Topology.parse("name: lab\nnodes: 100\npods: {perNode: 2}\n")))
    assert drawing.width < WIDTH + 400
    assert len({shape.y for shape in drawing.shapes if isinstance(shape, Box) and shape.look == "node"}) > 10


def test_svg_marks_trouble_and_escapes_it() -> None:
    text = show_svg(_troubled())
    ElementTree.fromstring(text)
    assert 'class="bridge trouble"' in text
    assert "&lt;b&gt;&amp;" in text
    assert "no switch" in text


def test_a_machine_without_pods_and_a_host_can_be_drawn() -> None:
    for show in FORMATS.values():
        assert "n1" in show(picture_of_topology(Topology.parse(ODD)))


@pytest.mark.parametrize("name", EXAMPLES)
def test_dot_declares_what_it_joins(name: str) -> None:
    text = show_dot(_picture(name))
    declared = set(re.findall(r'^ +("(?:[^"\\]|\\.)*"|router) \[label', text, re.MULTILINE))
    joined = {end for pair in re.findall(r'^ +("[^"]*"|router) -- ("[^"]*"|router)', text, re.MULTILINE) for end in pair}
    assert joined
    assert joined <= declared
    assert text.count("{") == text.count("}")


def test_mermaid_declares_what_it_joins() -> None:
    text = show_mermaid(_picture("two-racks"))
    declared = set(re.findall(r"\b(x\d+)[\[(]", text))
    joined = set(re.findall(r"^ +(x\d+) -", text, re.MULTILINE)) | set(re.findall(r"[-.|] (x\d+)$", text, re.MULTILINE))
    assert joined
    assert joined <= declared
    assert len(re.findall(r"-\.-", text)) == 6  # every two of four nodes
    assert "classDef" not in text


def test_mermaid_marks_trouble() -> None:
    assert re.search(r"class x\d+ bad", show_mermaid(_troubled()))


def test_html_stands_alone_and_lists_trouble() -> None:
    text = show_html(_troubled())
    assert "<h2>Not as it should be</h2>" in text
    assert "<li>no switch</li>" in text
    assert not re.search(r"(src|href)=|https?://(?!www\.w3\.org/2000/svg)", text)
    assert "<h2>" not in show_html(_picture("two-nodes"))
