"""The program of one iperf3 process: `python -m kemu.perf.worker`, one run of one side, then it ends.

A JSON request comes on standard input; JSON lines go to standard output: `listening` (a server that clients may now
connect to), then `done` with libiperf's report, or `failed`. It is a program of its own because libiperf keeps its state
in globals (a second client in one process dies) and may end the process when it is displeased.

Two things differ from what the bindings' own `run()` does. It redirects standard output to a pipe that it reads only
after the C call, so a report that outgrows the pipe stops the run for ever (thiezn/iperf3-python issues 53, 74, 75); here
standard output is /dev/null and the report, of any size, is asked of the library. And it starts a server in a thread,
for the sake of Ctrl-C; here the one who started the worker kills it.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import importlib
import json
import os
import resource
import signal
import socket
import stat
import sys
import threading
from collections.abc import Mapping
from typing import Any

CLONE_NEWNET = 0x40000000  # Source: include/uapi/linux/sched.h
PR_SET_PDEATHSIG = 1  # Source: include/uapi/linux/prctl.h
CONNECT_SECONDS = 5
POLL_SECONDS = 0.002

Request = Mapping[str, Any]

#: Setters that the bindings do not know, with their second argument. Without argtypes ctypes cuts the test's pointer to
#: 32 bits. Source: iperf_api.h of 3.12.
_SETTERS: Mapping[str, Any] = {
    "iperf_set_test_bidirectional": ctypes.c_int,
    "iperf_set_test_blksize": ctypes.c_int,
    "iperf_set_test_connect_timeout": ctypes.c_int,
    "iperf_set_test_mss": ctypes.c_int,
    "iperf_set_test_reporter_interval": ctypes.c_double,
    "iperf_set_test_stats_interval": ctypes.c_double,
}


class RefusalError(Exception):
    """Somebody said no. `kind` tells who: `netns`, `rights`, `library` or `iperf`."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def main() -> int:
    """Serve one request and return the exit code."""
    _die_with_parent()
    lines = os.dup(1)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)
    request = json.load(sys.stdin)
    if os.getppid() != request["parent"]:
        return 1  # it died before _die_with_parent could ask to follow it
    try:
        _enter_netns(request["netns"])
        test = _build_test(request)
        _emit(lines, {"event": "done", **_run(test, request, lines)})
    except RefusalError as refusal:
        _emit(lines, {"event": "failed", "kind": refusal.kind, "message": str(refusal)})
        return 1
    return 0


def _die_with_parent() -> None:
    """Ask the kernel to kill this process when the thread that started it ends, even by SIGKILL."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _emit(lines: int, event: Mapping[str, Any]) -> None:
    data = memoryview(json.dumps(event).encode() + b"\n")
    while data:
        data = data[os.write(lines, data) :]


def _enter_netns(path: str) -> None:
    """Move this process, which has one thread and no socket yet, into a network namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        with open(path, "rb") as file:
            if libc.setns(file.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), path)
    except OSError as error:
        kind = "rights" if error.errno in (errno.EPERM, errno.EACCES) else "netns"
        raise RefusalError(kind, f"network namespace {path}: {error.strerror}") from None


def _build_test(request: Request) -> Any:
    """Return the bindings' Server or Client, with everything set."""
    library = request["library"]
    try:
        ctypes.CDLL(library)  # here, since the bindings' constructor leaves a half-made object behind
        iperf3 = importlib.import_module("iperf3")
    except (ImportError, OSError) as error:
        raise RefusalError("library", str(error)) from None
    # Without lib_name the bindings search with gcc and ld, for a name that never matches.
    test = iperf3.Server(lib_name=library) if request["role"] == "server" else iperf3.Client(lib_name=library)
    test.verbose = False
    test.port = request["port"]
    _set(test, "iperf_set_test_stats_interval", request["interval_seconds"])
    _set(test, "iperf_set_test_reporter_interval", request["interval_seconds"])
    if request["role"] == "server":
        _set_server(test, request)
    else:
        _set_client(test, request)
    return test


def _set(test: Any, name: str, value: float) -> None:
    function = getattr(test.lib, name)
    function.argtypes = (ctypes.c_void_p, _SETTERS[name])
    function.restype = None
    function(test._test, value)


def _set_server(test: Any, request: Request) -> None:
    """Bind to the address where it is local, so that UDP answers come from it; a Service's address is local nowhere."""
    if _is_local(request["address"]):
        test.bind_address = request["address"]


def _set_client(test: Any, request: Request) -> None:
    test.server_hostname = request["address"]
    test.protocol = request["protocol"]
    test.duration = request["seconds"]
    test.num_streams = request["streams"]
    test.bandwidth = request["stream_bits_per_second"]
    test.reverse = request["direction"] == "reverse"
    _set(test, "iperf_set_test_bidirectional", request["direction"] == "both")
    _set(test, "iperf_set_test_connect_timeout", CONNECT_SECONDS * 1000)
    if request["mss_bytes"]:
        _set(test, "iperf_set_test_mss", request["mss_bytes"])
    # 0 lets libiperf take the MSS of the control connection for UDP. The bindings would make it 65,507: all fragments.
    if request["block_bytes"] or request["protocol"] == "udp":
        _set(test, "iperf_set_test_blksize", request["block_bytes"])


def _is_local(address: str) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True


def _run(test: Any, request: Request, lines: int) -> dict[str, Any]:
    """Make the one C call of this process and return its report and its CPU seconds."""
    native = _load_with_errno(request["library"])
    is_server = request["role"] == "server"
    ended = threading.Event()
    if is_server:
        threading.Thread(target=_announce, args=(lines, ended), daemon=True).start()
    before = _cpu_seconds()
    status = (native.iperf_run_server if is_server else native.iperf_run_client)(test._test)
    cpu_seconds = _cpu_seconds() - before
    ended.set()
    report = json.loads(test.lib.iperf_get_test_json_output_string(test._test) or b"{}")
    if status != 0 or "error" in report or not report:
        raise RefusalError("iperf", report.get("error") or native.iperf_strerror(test._errno).decode())
    return {"report": report, "cpu_seconds": round(cpu_seconds, 6)}


def _load_with_errno(library: str) -> ctypes.CDLL:
    """Return the loaded library again, by a handle that keeps errno from a failed call for iperf_strerror, which quotes it.

    Between two calls Python itself changes the thread's errno.
    """
    native = ctypes.CDLL(library, use_errno=True)
    native.iperf_run_server.argtypes = native.iperf_run_client.argtypes = (ctypes.c_void_p,)
    native.iperf_strerror.restype = ctypes.c_char_p
    return native


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _announce(lines: int, ended: threading.Event) -> None:
    """Say `listening` as soon as this very process has a listening socket; the C call, which makes it, tells nobody.

    Looking at one's own descriptors cannot mistake somebody else's listener on the port, as a look at /proc/net/tcp
    or a test connection could, and it takes no connection from the server, which accepts a single one.
    """
    while not ended.wait(POLL_SECONDS):
        if any(_is_listening(int(name)) for name in os.listdir("/proc/self/fd")):
            _emit(lines, {"event": "listening"})
            return


def _is_listening(descriptor: int) -> bool:
    with contextlib.suppress(OSError):  # closed since the listing was made
        copy = os.dup(descriptor)
        if not stat.S_ISSOCK(os.fstat(copy).st_mode):
            os.close(copy)
            return False
        with socket.socket(fileno=copy) as candidate:
            return candidate.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
    return False


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # the bindings' destructor ends the client a second time, which libiperf does not always survive
