"""The floors of kemu as one table: the tests hold the source to it, and ARCHITECTURE.md shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """A package and its floor. It may import itself and every room of a lower floor, or if `only` is given just those."""

    floor: int
    package: str
    folder: str
    what: str
    only: tuple[str, ...] | None = None


#: From the top. Rooms of one floor do not import each other.
ROOMS: tuple[Room, ...] = (
    Room(
        floor=9,
        package="kemu.cli",
        folder="kemu/cli",
        what="parse, call one function of the API, render",
        only=("kemu.api", "kemu.base"),
    ),
    Room(
        floor=9,
        package="kemu.testing",
        folder="kemu/testing",
        what="the pytest plugin, for tests of other projects",
        only=("kemu.api", "kemu.base"),
    ),
    Room(floor=8, package="kemu.api", folder="kemu/api", what="`Cluster` and `Topology`: the Python API, a facade"),
    Room(floor=7, package="kemu.compare", folder="kemu/compare", what="one topology over several backends"),
    Room(floor=7, package="kemu.check", folder="kemu/check", what="whether what a file expects holds"),
    Room(floor=6, package="kemu.reach", folder="kemu/reach", what="who reaches whom, by real packets"),
    Room(floor=6, package="kemu.perf", folder="kemu/perf", what="iperf3 between two namespaces"),
    Room(
        floor=6,
        package="kemu.graph",
        folder="kemu/graph",
        what="pure: pictures of a topology, and of what is wrong with a cluster",
    ),
    Room(floor=6, package="kemu.capture", folder="kemu/capture", what="packets at any devices, into one file"),
    Room(floor=6, package="kemu.agent", folder="kemu/agent", what="looks after containers, serves ports: one process a cluster"),
    Room(floor=5, package="kemu.probe", folder="kemu/probe", what="sockets in namespaces, the responder"),
    Room(floor=5, package="kemu.cluster", folder="kemu/cluster", what="the life of a cluster, its state directory and lock"),
    Room(floor=4, package="kemu.kernel", folder="kemu/kernel", what="the only floor that changes the system"),
    Room(floor=3, package="kemu.plan", folder="kemu/plan", what="pure: model, to desired objects, to steps, to text"),
    Room(
        floor=3,
        package="kemu_backends",
        folder="backends",
        what="pure: one data plane a file",
        only=("kemu.plan.backend", "kemu.plan.base", "kemu.plan.objects", "kemu.spec.model", "kemu.base"),
    ),
    Room(floor=2, package="kemu.spec", folder="kemu/spec", what="pure: YAML to a typed model, every problem with its place"),
    Room(floor=1, package="kemu.base", folder="kemu/base", what="pure: errors, names, units, the reporter"),
)

#: Modules in no room, and what they may import. Everybody may ask the first for the version.
ROOT = "kemu"
HALLS: Mapping[str, tuple[str, ...]] = {
    ROOT: ("kemu.api",),  # hands out the API
    "kemu.__main__": ("kemu.cli",),  # python -m kemu
    "kemu_topologies": (),  # holds examples
}

#: Who may import what reaches out of the process: the importing package or module, and why. Whoever is not here may not.
OUTSIDE: Mapping[str, Mapping[str, str]] = {
    "click": {"kemu.cli": "the command line is made of it"},
    "pytest": {"kemu.testing": "is a plugin of it, and loaded by nobody else"},
    "yaml": {"kemu.spec": "the one reader of YAML, which keeps places"},
    "pyroute2": {"kemu.kernel": "compiles netlink messages"},
    "iperf3": {"kemu.perf.worker": "runs libiperf in a process of its own"},
    "ctypes": {
        "kemu.kernel": "setns, mount, prctl and libnftables are not in Python 3.11",
        "kemu.perf.worker": "setns, and setters that the bindings of libiperf do not know",
    },
    "subprocess": {
        "kemu.kernel": "starts processes in namespaces",
        "kemu.perf.process": "starts the two workers of a measurement",
        "kemu.api.endpoint": "hands out subprocess' own result",
        "kemu.api.capturing": "a capture beside a program in Python is a process of its own",
    },
    "socket": {
        "kemu.kernel": "netlink is a socket",
        "kemu.probe": "sockets in namespaces are what it is for",
        "kemu.reach": "reads the errors and addresses of the probes' sockets",
        "kemu.perf.worker": "waits until a server accepts",
    },
    "fcntl": {
        "kemu.kernel": "locks and descriptors",
        "kemu.cluster.lock": "flock",
    },
    "multiprocessing": {},
    "asyncio": {},
    "concurrent.futures": {},
    "threading": {"kemu.perf.worker": "a limit in time for a call into C"},
    "logging": {},
}

#: Floors that are pure: no look at the machine, the clock or chance. What `open()` would read is handed in.
PURE = ("kemu.base", "kemu.spec", "kemu.plan", "kemu_backends", "kemu.graph")
_MODULES = """
asyncio ctypes datetime fcntl glob http importlib io logging multiprocessing os platform pyroute2 random resource secrets select
selectors shutil signal socket ssl subprocess sys tempfile threading time urllib uuid
"""
_CALLS = "open print input exec eval breakpoint __import__"
_METHODS = """
read_text write_text read_bytes write_bytes exists is_file is_dir iterdir glob rglob mkdir touch unlink rmdir resolve cwd home stat
expanduser import_module
"""
IMPURE_MODULES = frozenset(_MODULES.split())
IMPURE_CALLS = frozenset(_CALLS.split())
IMPURE_METHODS = frozenset(_METHODS.split())
#: (module, what it uses): why.
IMPURE_EXCEPTIONS: Mapping[tuple[str, str], str] = {
    ("kemu.plan.registry", "importlib"): "finds the installed backends",
    ("kemu.plan.registry", "importlib.metadata"): "finds the installed backends",
    ("kemu.plan.registry", "import_module()"): "finds the installed backends",
    ("kemu.spec.yaml_text", "resolve()"): "PyYAML's, which says what a text without quotes is; no path is resolved",
}


def find_room(module: str) -> Room | None:
    """Return the room that a module is in; None for the root package, examples and what is not kemu's."""
    return next((room for room in ROOMS if is_within(module, room.package)), None)


def is_within(module: str, package: str) -> bool:
    """Return whether `module` is `package` or in it."""
    return module == package or module.startswith(package + ".")
