"""Network namespaces with names: making, marking, finding and removing those of one cluster.

`/run/netns/<cluster>.<name>` is a bind mount, as `ip netns` makes it, so every plain tool works. What is ours carries a mark: the alias
of its `lo`. The mark is set first, then the file made, then the mount; so whatever has a name and is a namespace has its mark, and an
empty file that is no mount is what an interrupted kemu left.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from kemu.base.errors import StateError
from kemu.kernel import messages
from kemu.kernel.enter import inside, set_namespace
from kemu.kernel.netlink import Netlink, attributes, out_of_the_way
from kemu.plan.objects import MACHINE

DIRECTORY = Path("/run/netns")
_STATE = Path("/run/kemu")
_WE_MOUNTED = _STATE / ".netns"  # stands as long as the mount on DIRECTORY is one that kemu made

_CLONE_NEWNET = 0x40000000
_MS_BIND, _MS_REC, _MS_SHARED, _MNT_DETACH = 0x1000, 0x4000, 0x100000, 2
_LO = 1
_THIS = "/proc/thread-self/ns/net"

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Handle:
    """An open namespace: its name without the cluster's prefix, a descriptor that keeps it alive, and a socket inside it."""

    name: str
    descriptor: int
    socket: Netlink

    @property
    def inode(self) -> int:
        """The number by which /proc/<pid>/ns/net names this namespace."""
        return os.fstat(self.descriptor).st_ino

    def close(self) -> None:
        """Let go of the namespace."""
        self.socket.close()
        os.close(self.descriptor)


@dataclass(slots=True)
class Namespaces:
    """The open namespaces of a cluster by name. A context manager: leaving it closes all, and removes none."""

    cluster: str
    handles: dict[str, Handle] = field(default_factory=dict)
    _machine: Handle | None = None

    def __enter__(self) -> Namespaces:
        return self

    def __exit__(self, *exc: object) -> None:
        for handle in (*self.handles.values(), *([self._machine] if self._machine else [])):
            handle.close()
        self.handles.clear()
        self._machine = None

    def __getitem__(self, name: str) -> Handle:
        return self.machine() if name == MACHINE else self.handles[name]

    def __contains__(self, name: object) -> bool:
        return name == MACHINE or name in self.handles

    def machine(self) -> Handle:
        """Return the machine's own namespace: the one that the thread is in. It is never among `handles`, whose owner may remove them."""
        if self._machine is None:
            descriptor = os.open(_THIS, os.O_RDONLY | os.O_CLOEXEC)
            self._machine = Handle(MACHINE, out_of_the_way(descriptor), Netlink())
        return self._machine

    def path(self, name: str) -> Path:
        """Return where the namespace called `name` is, or would be."""
        return Path(_THIS) if name == MACHINE else path_of(self.cluster, name)

    @contextmanager
    def make(self, name: str) -> Iterator[Handle]:
        """Make, mark and name a namespace, and be inside it for the block."""
        with fresh_namespace() as descriptor:
            handle = Handle(name, out_of_the_way(descriptor), Netlink())
            self.handles[name] = handle
            handle.socket.send([messages.link_alias(_LO, mark_of(self.cluster, name), up=True)])
            _bind(f"/proc/thread-self/fd/{handle.descriptor}", path_of(self.cluster, name))
            yield handle

    def adopt(self) -> None:
        """Open every namespace that carries this cluster's mark."""
        for name in find_names(self.cluster):
            if name not in self.handles and (handle := _open_marked(self.cluster, name)):
                self.handles[name] = handle

    def clear_debris(self) -> None:
        """Remove empty files that are no mounts: names that an interrupted kemu made. Only under the cluster's lock."""
        for name in find_names(self.cluster):
            path = path_of(self.cluster, name)
            if not _is_namespace(path) and path.stat().st_size == 0:
                path.unlink()

    def remove(self, name: str) -> None:
        """Take the name of an open namespace away and let go of it. The kernel ends it when nobody else is inside."""
        unname(self.cluster, name)
        self.handles.pop(name).close()


def path_of(cluster: str, name: str) -> Path:
    """Return the path of a cluster's namespace."""
    return DIRECTORY / f"{cluster}.{name}"


def mark_of(cluster: str, name: str) -> str:
    """Return the alias of `lo` that says whose a namespace is."""
    return f"kemu:{cluster}.{name}"


def find_names(cluster: str) -> list[str]:
    """Return the names that stand under a cluster's prefix, ours or not, without the prefix."""
    prefix = f"{cluster}."
    return sorted(name[len(prefix) :] for name in _entries() if name.startswith(prefix))


def find_clusters() -> list[str]:
    """Return every cluster that has a marked namespace, whatever its state directory says."""
    prefixes = sorted({name.partition(".")[0] for name in _entries() if "." in name})
    return [cluster for cluster in prefixes if any(is_marked(cluster, name) for name in find_names(cluster))]


def is_marked(cluster: str, name: str) -> bool:
    """Return whether a name is a namespace with this cluster's mark. Needs the right to enter it."""
    handle = _open_marked(cluster, name)
    if handle:
        handle.close()
    return handle is not None


def check_free(cluster: str, names: list[str], ours: Namespaces) -> None:
    """Raise StateError if one of `names` is a namespace that somebody else made."""
    wanted = set(names)
    for name in find_names(cluster):
        if name in wanted and name not in ours:
            path = path_of(cluster, name)
            raise StateError(
                f"the network namespace {path.name} exists and is not kemu's",
                hint=f"remove it (ip netns del {path.name}) or rename the cluster",
            )


def unname(cluster: str, name: str) -> None:
    """Unmount and remove the name of a namespace; nothing happens if it is gone."""
    path = path_of(cluster, name)
    _libc.umount2(os.fsencode(path), _MNT_DETACH)
    path.unlink(missing_ok=True)


@contextmanager
def prepared_directory() -> Iterator[None]:
    """Have /run/netns ready for the block, which makes the first namespaces; nobody restores it meanwhile."""
    with _claimed(_STATE, fcntl.LOCK_SH):
        prepare_directory()
        yield


def prepare_directory() -> None:
    """Make /run/netns what `ip netns` makes of it, a shared mount, so that a name is one in every mount namespace.

    `ip netns` would otherwise mount over our names later, and a second mount would keep every namespace alive. It takes the same lock.
    """
    DIRECTORY.mkdir(mode=0o755, exist_ok=True)
    with _claimed(DIRECTORY, fcntl.LOCK_EX):
        if _mount("", DIRECTORY, _MS_SHARED | _MS_REC):
            return
        _WE_MOUNTED.touch(mode=0o644)
        if not (_mount(str(DIRECTORY), DIRECTORY, _MS_BIND | _MS_REC) and _mount("", DIRECTORY, _MS_SHARED | _MS_REC)):
            raise OSError(ctypes.get_errno(), f"cannot mount on {DIRECTORY}")


def restore_directory() -> None:
    """Undo `prepare_directory` if it was ours, nobody's namespace is left, and nobody is about to make one."""
    if _WE_MOUNTED.exists() and not _entries():
        with suppress(BlockingIOError), _claimed(_STATE, fcntl.LOCK_EX | fcntl.LOCK_NB):
            _unmount_directory()


def _unmount_directory() -> None:
    if not _WE_MOUNTED.exists() or _entries():  # looked at again, now that nobody changes it
        return
    _libc.umount2(os.fsencode(DIRECTORY), _MNT_DETACH)
    with suppress(OSError):  # somebody's `ip netns` may have come in between
        DIRECTORY.rmdir()
    _WE_MOUNTED.unlink()


@contextmanager
def _claimed(directory: Path, how: int) -> Iterator[None]:
    """Hold a lock on a directory: on that of all clusters, which the caller's own state directory keeps in its place, or of all names."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)


def _entries() -> list[str]:
    return os.listdir(DIRECTORY) if DIRECTORY.is_dir() else []


@contextmanager
def fresh_namespace() -> Iterator[int]:
    """Move this thread into a new network namespace for the block; yields a descriptor of it, which outlives the block."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _libc.unshare(_CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "unshare(CLONE_NEWNET)")
        try:
            yield os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        finally:
            set_namespace(home)
    finally:
        os.close(home)


def _bind(source: str, target: Path) -> None:
    """Give a namespace its name."""
    os.close(os.open(target, os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444))
    if not _mount(source, target, _MS_BIND):
        code = ctypes.get_errno()
        target.unlink()
        raise OSError(code, f"mount on {target}")


def _mount(source: str, target: Path, flags: int) -> bool:
    return bool(_libc.mount(source.encode(), os.fsencode(target), b"none", flags, None) == 0)


def _is_namespace(path: Path) -> bool:
    return path.stat().st_dev != path.parent.stat().st_dev


def _open_marked(cluster: str, name: str) -> Handle | None:
    """Open a namespace if it is one and carries the mark."""
    path = path_of(cluster, name)
    try:
        if not _is_namespace(path):
            return None
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with inside(path):
        handle = Handle(name, out_of_the_way(descriptor), Netlink())
    if _mark(handle.socket) == mark_of(cluster, name):
        return handle
    handle.close()
    return None


def _mark(socket: Netlink) -> str:
    """Return the alias of `lo`."""
    [body] = socket.ask(messages.RTM_GETLINK, [messages.by_index(_LO)])
    return attributes(body[16:]).get(20, b"").rstrip(b"\0").decode(errors="replace") if body else ""
