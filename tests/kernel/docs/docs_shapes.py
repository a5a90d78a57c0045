"""The shape of JSON: which keys are where. The examples of docs/reference/json.md are compared with what kemu prints."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from docs_blocks import ROOT, find_blocks

PAGE = (ROOT / "docs" / "reference" / "json.md").read_text()
FREE = ("labels", "want", "have")  # mappings whose keys are the user's, or those that differ


def examples() -> dict[str, list[Any]]:
    """Return the examples of the page, under their schema; those of errors under their error's name."""
    found: dict[str, list[Any]] = {}
    for block in find_blocks(PAGE, "json"):
        data = json.loads(block)
        found.setdefault(data.get("error") or data["schema"], []).append(data)
    return found


def find_differences(documented: Any, real: Any, where: str = "") -> Iterator[str]:
    """Yield where real JSON has other keys or other types than the documented example. An empty list, or null, says nothing."""
    if documented is None or real is None:
        return
    if isinstance(documented, dict) and isinstance(real, dict):
        yield from _keys(documented, real, where)
    elif isinstance(documented, list) and isinstance(real, list):
        for item in real if documented else ():
            yield from find_differences(_alike(documented, item), item, f"{where}[]")
    elif _kind(documented) != _kind(real):
        yield f"{where}: {_kind(real)}, and the page says {_kind(documented)}"


def _keys(documented: dict[str, Any], real: dict[str, Any], where: str) -> Iterator[str]:
    for key in sorted(documented.keys() ^ real.keys()):
        yield f"{where}.{key} is {'not on the page' if key in real else 'only on the page'}"
    for key in documented.keys() & real.keys():
        if key not in FREE:
            yield from find_differences(documented[key], real[key], f"{where}.{key}")


def _alike(documented: list[Any], item: Any) -> Any:
    """Return the documented element that an element is to be compared with: that of its kind, else the first."""
    return next((one for one in documented if _words(one) == _words(item)), documented[0])


def _words(item: Any) -> Any:
    if not isinstance(item, dict):
        return None
    return item.get("kind"), (item.get("detail") or {}).get("kind")


def _kind(value: Any) -> str:
    return "number" if isinstance(value, (int, float)) and not isinstance(value, bool) else type(value).__name__
