"""Reading `readinessProbe:` of a container, and writing it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kemu.spec.fields import snake_case
from kemu.spec.model import Exec, HttpGet, Port, Probe, Protocol, TcpSocket
from kemu.spec.source import find_close
from kemu.spec.tables import Entry

_CHECKS = ("tcpSocket", "httpGet", "exec")
_NUMBERS = ("initialDelaySeconds", "periodSeconds", "timeoutSeconds", "successThreshold", "failureThreshold")


def read_probe(entry: Entry, ports: Sequence[Port]) -> Probe | None:
    """Return the probe of an entry of the table PROBE; `ports` are its pod's, by whose names it may call them.

    None where it is wrong, which is noted.
    """
    said = [key for key in _CHECKS if entry.said(key)]
    if len(said) != 1:
        place = said[1] if said else ""
        entry.wrong(place, f"one of {', '.join(_CHECKS)} is needed, not {len(said)} of them", "such as tcpSocket: {port: 8080}")
        return None
    check = _read_check(said[0], entry.part(said[0]), ports) if not entry.bad(*said) else None
    numbers = {snake_case(key): entry.get(key) for key in _NUMBERS if entry.get(key) is not None}
    return Probe(check=check, **numbers) if check else None


def show_probe(probe: Probe) -> dict[str, Any]:
    """Return a probe as plain data in the words of the file, without what is as by default."""
    key, check = _show_check(probe.check)
    plain = Probe(check=probe.check)
    numbers = {one: getattr(probe, snake_case(one)) for one in _NUMBERS}
    return {key: check, **{one: value for one, value in numbers.items() if value != getattr(plain, snake_case(one))}}


def _show_check(check: TcpSocket | HttpGet | Exec) -> tuple[str, dict[str, Any]]:
    match check:
        case TcpSocket(port=port):
            return "tcpSocket", {"port": port}
        case HttpGet(port=port, path="/"):
            return "httpGet", {"port": port}
        case HttpGet(port=port, path=path):
            return "httpGet", {"port": port, "path": path}
        case Exec(command=command):
            return "exec", {"command": list(command)}


def _read_check(kind: str, part: Entry, ports: Sequence[Port]) -> TcpSocket | HttpGet | Exec | None:
    if kind == "exec":
        words = part.get("command", ())
        return Exec(command=tuple(words)) if words and all(isinstance(word, str) for word in words) else None
    port, path = _find_port(part, ports), _read_path(part)
    if port is None or path is None:
        return None
    return HttpGet(port=port, path=path) if kind == "httpGet" else TcpSocket(port=port)


def _find_port(part: Entry, ports: Sequence[Port]) -> int | None:
    """Return the number of a port that may be said by its name."""
    said = part.get("port")
    if said is None or isinstance(said, int):
        return said
    named = {port.name: port for port in ports if port.name}
    if said not in named:
        part.wrong(
            "port", f'the pod has no port called "{said}"', find_close(said, named, "names") if named else "write its number"
        )
        return None
    if named[said].protocol is not Protocol.TCP:
        part.wrong("port", f'the port "{said}" is {named[said]}, and a probe speaks TCP', "name a TCP port, or use exec")
        return None
    return named[said].number


def _read_path(part: Entry) -> str | None:
    """Return the path with its slash, which Kubernetes does without as well."""
    path = part.get("path", "/")
    if not path.isascii() or not path.isprintable() or " " in path:
        part.wrong("path", "a path has no spaces and only ASCII characters", "write others as %20, %C3%A4 …")
        return None
    return path if path.startswith("/") else f"/{path}"
