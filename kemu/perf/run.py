"""measure(): one iperf3 measurement between two namespaces, by one worker process on each side, within a hard time limit."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, NoReturn

from kemu.base.errors import KemuError, MachineError, ProbeError
from kemu.base.reporter import SILENT, Reporter
from kemu.perf.model import Cpu, Direction, Protocol, Request, Rtt, Run, Side
from kemu.perf.process import Crew, Worker
from kemu.perf.read import Outcome, build_runs

__all__ = ["Cpu", "Direction", "Protocol", "Request", "Rtt", "Run", "Side", "measure"]

LIBRARY = "libiperf.so.0"
START_SECONDS = 10.0  # until a server listens: the start of a Python, on a machine that may be busy
SETTLE_SECONDS = 0.5  # what the other worker gets to say why, once one has failed


def measure(sender: Side, receiver: Side, request: Request, *, backend: str, reporter: Reporter = SILENT) -> tuple[Run, ...]:
    """Return the runs of one measurement: one, or with direction `both` two, first sender to receiver, then back.

    `receiver` runs the server and `sender` the client, which opens the connection; with direction `reverse` the data
    flows the other way, and the Run's `source` is the receiver. `backend` is only copied into the runs.
    Takes about 0.15 s more than `request.seconds`, and never more than START_SECONDS and `request.grace_seconds` on top.
    A worker that crashes, hangs or is refused is a ProbeError, a missing libiperf or missing rights a MachineError.
    """
    reporter.step(
        f"iperf3 {sender.endpoint} to {receiver.endpoint}, {request.protocol} {request.direction}", total=request.seconds
    )
    body = _build_body(receiver, request)
    with Crew() as crew:
        server = _start(crew, "server", receiver, body, reporter)
        crew.wait(lambda: server.is_listening or server.has_ended, deadline=time.monotonic() + START_SECONDS)
        if not server.is_listening:
            _fail(crew, f"did not listen on port {request.port} within {START_SECONDS:g} s")
        client = _start(crew, "client", sender, body, reporter)
        _wait_ended(crew, request, reporter)
        client_outcome, server_outcome = _outcome(client), _outcome(server)
    return build_runs(client_outcome, server_outcome, request, backend=backend)


def _build_body(receiver: Side, request: Request) -> dict[str, Any]:
    """Return what both workers are told. libiperf's rate is one stream's."""
    rate = request.offered_bits_per_second
    return {
        "library": LIBRARY,
        "address": receiver.address,
        "port": request.port,
        "protocol": str(request.protocol),
        "direction": str(request.direction),
        "seconds": int(request.seconds),
        "streams": request.streams,
        "stream_bits_per_second": max(1, rate // request.streams) if rate else 0,
        "interval_seconds": request.interval_seconds,
        "block_bytes": request.block_bytes,
        "mss_bytes": request.mss_bytes,
    }


def _start(crew: Crew, role: str, side: Side, body: Mapping[str, Any], reporter: Reporter) -> Worker:
    try:
        worker = crew.start(role, side, body)
    except OSError as error:  # no process, no descriptors left
        raise MachineError(f"cannot start an iperf3 {role}: {error.strerror}", hint="ulimit -a shows the limits") from error
    reporter.note(f"{worker} is process {worker.process.pid}")
    return worker


def _wait_ended(crew: Crew, request: Request, reporter: Reporter) -> None:
    """Wait until both workers have ended well; raise what went wrong."""
    start = time.monotonic()
    limit = request.seconds + request.grace_seconds
    passed = 0

    def tick() -> None:
        nonlocal passed
        now = min(request.seconds, int(time.monotonic() - start))
        if now > passed:
            reporter.advance(now - passed)
            passed = now

    def is_over() -> bool:
        return all(worker.has_ended for worker in crew.workers) or any(worker.has_failed for worker in crew.workers)

    crew.wait(is_over, deadline=start + limit, tick=tick)
    if all(worker.has_ended and worker.result for worker in crew.workers):
        reporter.advance(request.seconds - passed)
        return
    crew.wait(lambda: all(worker.has_ended for worker in crew.workers), deadline=_settle(crew))
    _fail(crew, f"did not finish {request.seconds:g} s of traffic within {limit:g} s")


def _settle(crew: Crew) -> float:
    """Return until when to wait for the others' words: after a hang there is nothing to wait for."""
    return time.monotonic() + (SETTLE_SECONDS if any(worker.has_failed for worker in crew.workers) else 0)


def _outcome(worker: Worker) -> Outcome:
    assert worker.result is not None  # _wait_ended saw to it
    return Outcome(side=worker.side, report=worker.result["report"], cpu_seconds=worker.result["cpu_seconds"])


def _fail(crew: Crew, hang: str) -> NoReturn:
    """Raise what went wrong; `hang` says what those who are still there did not do."""
    failed = sorted((worker for worker in crew.workers if worker.has_failed), key=_echo)
    if failed:
        raise _refusal(failed[0]) if failed[0].refusal else _crash(failed[0])
    hanging = [worker for worker in crew.workers if not worker.has_ended]
    names = " and ".join(f"{worker} (process {worker.process.pid})" for worker in hanging)
    hint = "is a process stopped, or is data dropped on the way (UDP alone, big packets)? kemu trace shows where packets end"
    raise ProbeError(_with_errors(f"{names} {hang}", *hanging), hint=hint)


def _echo(worker: Worker) -> int:
    """Return how likely a failure only echoes the other side's: a crash never does, and clients repeat servers' errors."""
    if worker.refusal is None:
        return 0
    if worker.role == "client":
        return 2
    return 3 if "the client has" in worker.refusal["message"] else 1  # Source: iperf_error.c, IECLIENTTERM, IECTRLCLOSE


def _crash(worker: Worker) -> ProbeError:
    how = f"was killed by {worker.killer.name}" if worker.killer else f"ended with code {worker.process.returncode} and no result"
    message = f"{worker} (process {worker.process.pid}) {how}"
    return ProbeError(_with_errors(message, worker), hint="measure again; if it happens each time, try fewer streams")


def _refusal(worker: Worker) -> KemuError:
    assert worker.refusal is not None  # _fail asks only then
    message = worker.refusal["message"]
    match worker.refusal["kind"]:
        case "library":
            return MachineError(f"iperf3 cannot be used: {message}", hint=_library_hint(message))
        case "rights":
            return MachineError(f"{worker}: {message}", hint="entering a network namespace needs root")
        case "netns":
            return ProbeError(f"{worker}: {message}", hint="kemu status shows what is missing, kemu up repairs it")
        case _:
            return ProbeError(_with_errors(f"{worker}: {message}", worker), hint=_hint(message))


def _library_hint(message: str) -> str:
    return "apt-get install libiperf0" if LIBRARY in message else "pip install iperf3"


def _hint(message: str) -> str:
    """Return the way out of what libiperf complained about, or nothing."""
    if "already in use" in message:
        return "another process in that namespace has the port: choose another one, or find it with ss -tlnp"
    if "unable to connect" in message:
        return "a route, a NetworkPolicy or a firewall is in the way of TCP to this port: kemu trace shows which"
    return ""


def _with_errors(message: str, *workers: Worker) -> str:
    return "\n".join([message, *filter(None, (worker.show_errors() for worker in workers))])
