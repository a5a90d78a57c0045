"""The surroundings of a pod's, node's or host's processes: namespaces for PIDs, mounts, IPC and the host name beside that of the network.

The first process makes them, every further one enters them. What keeps them is a process that does nothing, PID 1 in there: as long as
it lives, what runs inside sees the same processes, /tmp and /run. It reaps orphans, for it ignores SIGCHLD, and no signal from inside
reaches it, not SIGKILL either. A file remembers it; with the file lost, `down` still finds it by its network namespace.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import signal
import socket
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import IO, NoReturn

from kemu.base.errors import KernelError, NotFoundError
from kemu.kernel.enter import set_namespace
from kemu.kernel.inside import Inside, find_process
from kemu.kernel.mounts import CLONE_NEWNS, mount_own, unshare, unshare_pruned

_CLONE_NEWUTS, _CLONE_NEWIPC, _CLONE_NEWPID, _CLONE_NEWNET = 0x4000000, 0x8000000, 0x20000000, 0x40000000
_IDLE = ("sleep", "infinity")
_AT_A_TIME = 32  # as many as keep all processors of a machine busy
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a process of a cluster finds itself in. `record` is the file that remembers who keeps its namespaces.

    `files` stand in place of those of the machine. `mounts` is an open mount namespace to copy, already pruned; None for the machine's.
    """

    netns: Path
    hostname: str
    files: Mapping[str, Path]
    record: Path
    mounts: int | None = None


@contextmanager
def joined(surroundings: Surroundings) -> Iterator[Callable[[], None]]:
    """Have what this thread starts be in the surroundings' PID namespace, for the block. Yields what a child does before exec."""
    keeper = hold(surroundings)
    home = os.open("/proc/thread-self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _set_namespaces(keeper, _CLONE_NEWPID)
        yield lambda: _enter(keeper)
    finally:
        _set_namespaces(home, _CLONE_NEWPID)
        os.close(home)
        os.close(keeper)


def _enter(keeper: int) -> None:
    """Go where the keeper is, and stay in the current directory if there is one of that name."""
    try:
        directory = os.getcwd()
    except FileNotFoundError:
        directory = "/"
    _set_namespaces(keeper, CLONE_NEWNS | _CLONE_NEWUTS | _CLONE_NEWIPC | _CLONE_NEWNET)
    with suppress(OSError):
        os.chdir(directory)


def _set_namespaces(descriptor: int, kinds: int) -> None:
    if _libc.setns(descriptor, kinds):
        code = ctypes.get_errno()
        raise OSError(code, f"setns: {os.strerror(code)}")


def hold(surroundings: Surroundings) -> int:
    """Return a descriptor of the process that keeps the namespaces, which is made if it is not there. Two at once share one.

    NotFoundError if the cluster goes down meanwhile.
    """
    try:
        with _claimed(surroundings.record) as file:
            inode = os.stat(surroundings.netns).st_ino
            known = _find(file, inode)
            return known if known is not None else _settle(_begin(surroundings), inode, file)
    except FileNotFoundError as error:
        raise NotFoundError(f"{surroundings.netns.name} is gone", hint="kemu up makes it") from error


@contextmanager
def _claimed(record: Path) -> Iterator[int]:
    """Hold the record of one keeper, open, for the block."""
    record.parent.mkdir(mode=0o755, exist_ok=True)
    mode = 0o600  # who may open a file may lock it
    descriptor = os.open(record, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _find(file: int, inode: int | None) -> int | None:
    """Return a descriptor of the keeper that a record names, if it lives and is where it should be; anywhere, without an inode."""
    found = _find_anywhere(file)
    if found is None:
        return None
    descriptor, keeper = found
    if inode in (keeper.inode, None):
        return descriptor
    os.close(descriptor)
    return None


def _find_anywhere(file: int) -> tuple[int, Inside] | None:
    """Return a descriptor of the keeper that a record names, and what is known of it, if it lives."""
    words = os.pread(file, 100, 0).decode(errors="replace").split()
    if len(words) != 2 or not all(word.isdecimal() for word in words):
        return None
    pid, start = map(int, words)
    try:
        descriptor = os.pidfd_open(pid)
    except (OSError, OverflowError):
        return None
    now = find_process(pid)
    if now and (now.start, now.keeps) == (start, True):
        return descriptor, now
    os.close(descriptor)
    return None


def _settle(begun: _Begun, inode: int, file: int) -> int:
    """Remember a keeper that was begun, and return a descriptor of it.

    It must not outlive its cluster: `down` takes the name away and then ends who is inside; so whoever finds the name gone ends it here.
    """
    pid = _await(begun)
    keeper = os.pidfd_open(pid)
    try:
        os.truncate(file, 0)
        os.pwrite(file, b"%d %d\n" % (pid, _started(pid)), 0)
        if os.stat(begun.surroundings.netns).st_ino != inode:
            raise FileNotFoundError(errno.ENOENT, "another namespace has its name now")
    except BaseException:
        signal.pidfd_send_signal(keeper, signal.SIGKILL)
        os.close(keeper)
        raise
    return keeper


def prepare(places: Sequence[Surroundings]) -> None:
    """Make what is missing of many surroundings, several at a time. Who fails is passed over, and says why when somebody enters."""
    for first in range(0, len(places), _AT_A_TIME):
        with ExitStack() as claims:
            for settle in [_prepare(claims, place) for place in places[first : first + _AT_A_TIME]]:
                with suppress(KernelError, OSError):
                    settle()


def _prepare(claims: ExitStack, surroundings: Surroundings) -> Callable[[], None]:
    """Begin to make a keeper if there is none, and return what waits for it."""
    try:
        file = claims.enter_context(_claimed(surroundings.record))
        inode = os.stat(surroundings.netns).st_ino
        known = _find(file, inode)
    except OSError:
        return lambda: None
    if known is not None:
        return partial(os.close, known)
    begun = _begin(surroundings)
    return lambda: os.close(_settle(begun, inode, file))


def release(surroundings: Surroundings) -> None:
    """End the process that keeps the namespaces, and all in them with it, and forget it. Nothing happens if there is none."""
    if not surroundings.record.exists():
        return
    with _claimed(surroundings.record) as file:
        keeper = _find(file, None)
        if keeper is not None:
            signal.pidfd_send_signal(keeper, signal.SIGKILL)
            os.close(keeper)
        surroundings.record.unlink()


def release_lost(records: Iterable[Path], inodes: Container[int]) -> None:
    """End the keepers that are in none of the network namespaces with these numbers.

    Somebody took the name of theirs away, or made another of that name; nobody would find them there any more.
    """
    for record in records:
        with _claimed(record) as file:
            if (found := _find_anywhere(file)) is None:
                continue
            descriptor, keeper = found
            if keeper.inode not in inodes:
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            os.close(descriptor)


def open_pruned_mounts() -> int:
    """Return a descriptor of a mount namespace without names of network namespaces, for many to copy."""
    ready, tell = os.pipe2(os.O_CLOEXEC)
    go_on, done = os.pipe2(os.O_CLOEXEC)
    child = os.fork()
    if not child:
        os.close(done)
        _in_child(tell, lambda: _offer_mounts(tell, go_on))
    os.close(tell)
    os.close(go_on)
    try:
        if (answer := os.read(ready, 4096)) != b"ready":
            raise KernelError(f"cannot make a mount namespace: {answer.decode(errors='replace')}")
        return os.open(f"/proc/{child}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(done)
        os.close(ready)
        os.waitpid(child, 0)


def _offer_mounts(tell: int, go_on: int) -> None:
    """Hold a pruned mount namespace until the other side has opened it."""
    unshare_pruned()
    os.write(tell, b"ready")
    os.read(go_on, 1)


def _started(pid: int) -> int:
    process = find_process(pid)
    if process is None:
        raise KernelError(f"process {pid}, which was to keep the namespaces of a pod, was ended from outside")
    return process.start


@dataclass(frozen=True, slots=True)
class _Begun:
    """A keeper that is about to be: the process between it and this one, and what that one says."""

    surroundings: Surroundings
    between: int
    answers: IO[str]


def _begin(surroundings: Surroundings) -> _Begun:
    """Begin to start a keeper. It is nobody's child here: the process between us and it ends at once."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    between = os.fork()
    if not between:
        _in_child(writer, lambda: _be_between(surroundings, writer))
    os.close(writer)
    return _Begun(surroundings, between, os.fdopen(reader))


def _await(begun: _Begun) -> int:
    """Return the PID of a keeper when it has become what it stays."""
    with begun.answers:
        words = begun.answers.read().split(maxsplit=1)
    os.waitpid(begun.between, 0)
    name = begun.surroundings.netns.name
    match words:
        case ["pid", number]:
            return int(number)
        case ["error", text]:
            raise KernelError(f"cannot make the namespaces of processes in {name}: {text}")
        case _:
            raise KernelError(f"the process that was to keep the namespaces of {name} was ended from outside")


def _in_child(writer: int, act: Callable[[], None]) -> NoReturn:
    """Act in a forked process, and end it, whatever happens. What fails goes up the pipe."""
    try:
        act()
    except BaseException as error:  # nothing may run on in the child
        os.write(writer, f"error {error}".encode())
    finally:
        os._exit(0)


def _be_between(surroundings: Surroundings, writer: int) -> None:
    """Prepare the namespaces but that of PIDs, which a process cannot enter itself, and start the keeper in them."""
    _let_go(writer, surroundings.mounts)
    descriptor = os.open(surroundings.netns, os.O_RDONLY | os.O_CLOEXEC)
    set_namespace(descriptor)
    if surroundings.mounts is None:
        unshare_pruned()
    else:
        _set_namespaces(surroundings.mounts, CLONE_NEWNS)
        unshare(CLONE_NEWNS)
    unshare(_CLONE_NEWUTS | _CLONE_NEWIPC | _CLONE_NEWPID)
    ready, tell = os.pipe2(os.O_CLOEXEC)
    keeper = os.fork()
    if not keeper:
        _in_child(tell, lambda: _keep(surroundings))
    os.close(tell)
    failed = os.read(ready, 4096)  # empty when the keeper has become what it stays
    os.write(writer, failed or b"pid %d" % keeper)


def _let_go(*kept: int | None) -> None:
    """Leave the caller's session, and hold none of its files."""
    os.setsid()
    nothing = os.open("/dev/null", os.O_RDWR)
    for standard in range(3):
        os.dup2(nothing, standard)
    edges = [2, *sorted(one for one in kept if one is not None), os.sysconf("SC_OPEN_MAX")]
    for low, high in pairwise(edges):
        os.closerange(low + 1, high)


def _keep(surroundings: Surroundings) -> None:
    """Become the process that does nothing."""
    mount_own(surroundings.files)
    socket.sethostname(surroundings.hostname)
    os.chdir("/")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    os.execvpe(_IDLE[0], list(_IDLE), {})
