"""What the responder says on a TCP connection, without any."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable

import pytest

from kemu.probe.answer import End, Speaker
from kemu.probe.conversation import Conversation
from kemu.probe.http import HEAD_BYTES

LINE = b"kemu pod/default/web on n1 saw 10.0.0.2:40000 at 10.0.0.1:80\n"
GET = b"GET /a?b=c HTTP/1.1\r\nHost: web\r\n\r\n"


def begin() -> Conversation:
    speaker = Speaker(pod="web", namespace="default", node="n1", hostname="web")
    return Conversation(speaker, End("10.0.0.2", 40000), End("10.0.0.1", 80))


def said_to(*pieces: bytes) -> tuple[bytes, Conversation]:
    conversation = begin()
    for piece in pieces:
        conversation.hear(piece)
    return conversation.take(), conversation


def bodies(answer: bytes) -> Iterable[str]:
    """Yield the bodies of a row of responses, by their lengths."""
    while answer:
        head, _, rest = answer.partition(b"\r\n\r\n")
        fields = dict(line.split(": ") for line in head.decode().splitlines()[1:])
        length = int(fields["Content-Length"])
        yield rest[:length].decode()
        answer = rest[length:]


def status(answer: bytes) -> int:
    return int(answer.split()[1])


def test_request_is_answered_with_the_facts() -> None:
    answer, conversation = said_to(GET)
    [body] = bodies(answer)
    assert status(answer) == 200
    assert body == (
        "pod: web\nnamespace: default\nnode: n1\nclient: 10.0.0.2:40000\nserver: 10.0.0.1:80\nrequest: GET /a?b=c HTTP/1.1\n"
    )
    assert not conversation.is_over


def test_request_may_come_byte_by_byte() -> None:
    answer, _ = said_to(*(GET[i : i + 1] for i in range(len(GET))))
    assert answer == said_to(GET)[0]


def test_bare_line_feeds_are_ends_of_lines() -> None:
    assert status(said_to(b"GET / HTTP/1.0\nHost: web\n\n")[0]) == 200


@pytest.mark.parametrize(
    "request_", [b"GET /json HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\naccept: text/*, application/json\r\n\r\n"]
)
def test_json_is_had_by_path_and_by_accept(request_: bytes) -> None:
    answer, _ = said_to(request_)
    [body] = bodies(answer)
    assert json.loads(body)["client"] == {"address": "10.0.0.2", "port": 40000}
    assert b"Content-Type: application/json\r\n" in answer


@pytest.mark.parametrize(("path", "said"), [("hostname", "web"), ("hostName", "web"), ("clientip?x", "10.0.0.2:40000")])
def test_paths_of_agnhost_are_answered_as_agnhost_does(path: str, said: str) -> None:
    assert list(bodies(said_to(f"GET /{path} HTTP/1.1\r\n\r\n".encode())[0])) == [said]


def test_head_has_the_length_of_the_body_and_no_body() -> None:
    whole, _ = said_to(b"GET /ab HTTP/1.1\r\n\r\n")
    assert said_to(b"HEAD /a HTTP/1.1\r\n\r\n")[0] == whole[: whole.index(b"\r\n\r\n") + 4]


def test_connection_is_kept_for_further_requests() -> None:
    answer, conversation = said_to(GET, GET + GET)
    assert len(list(bodies(answer))) == 3
    assert not conversation.is_over


def test_empty_line_between_requests_is_skipped() -> None:
    assert len(list(bodies(said_to(GET + b"\r\n" + GET)[0]))) == 2


@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET / HTTP/1.1\r\nConnection: Close\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    ],
)
def test_connection_is_closed_where_the_client_wants_it_or_the_body_has_no_end(request_: bytes) -> None:
    answer, conversation = said_to(request_)
    assert b"Connection: close\r\n" in answer
    assert conversation.is_over


def test_old_client_may_keep_the_connection() -> None:
    answer, conversation = said_to(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    assert b"Connection: keep-alive\r\n" in answer
    assert not conversation.is_over


def test_bodies_are_passed_over() -> None:
    post = b"POST / HTTP/1.1\r\nContent-Length: 40\r\n\r\n"
    answer, _ = said_to(post + b"GET / HTTP/1.1\r\n\r\n", b"x" * 22 + GET)
    assert ["POST" in body for body in bodies(answer)] == [True, False]


def test_client_that_waits_before_its_body_is_told_to_go_on() -> None:
    answer, _ = said_to(b"PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")


def test_endless_head_is_refused() -> None:
    answer, conversation = said_to(b"GET / HTTP/1.1\r\n", b"X: y\r\n" * (HEAD_BYTES // 6))
    assert status(answer) == 431
    assert conversation.is_over


def test_nonsense_after_a_request_is_refused() -> None:
    answer, conversation = said_to(GET, b"what?\r\n")
    assert b"HTTP/1.1 400 Bad Request" in answer
    assert conversation.is_over


@pytest.mark.parametrize("words", [b"hello\n", b"\n", b"\r\n", b"PRI * HTTP/2.0\r\n", b"\x16\x03\x01\n", b"x" * (HEAD_BYTES + 1)])
def test_line_is_answered_with_the_line_at_once(words: bytes) -> None:
    answer, conversation = said_to(words)
    assert (answer, conversation.is_over) == (LINE, True)


def test_half_a_line_is_waited_for() -> None:
    answer, conversation = said_to(b"hel")
    assert (answer, conversation.is_over, conversation.is_undecided) == (b"", False, True)


@pytest.mark.parametrize("words", [b"", b"hel", b"GET / HT"])
@pytest.mark.parametrize("end", ["hear_end", "give_up"])
def test_who_says_no_more_hears_the_line(words: bytes, end: str) -> None:
    conversation = begin()
    conversation.hear(words)
    getattr(conversation, end)()
    assert (conversation.take(), conversation.is_over) == (LINE, True)


def test_request_that_comes_to_no_end_is_given_up() -> None:
    conversation = begin()
    conversation.hear(GET[:-2])
    conversation.give_up()
    assert status(conversation.take()) == 408
    assert conversation.is_over


def test_kept_connection_ends_without_a_word() -> None:
    for end in ("hear_end", "give_up"):
        conversation = begin()
        conversation.hear(GET)
        conversation.take()
        getattr(conversation, end)()
        assert (conversation.take(), conversation.is_over) == (b"", True)


_PIECES = (
    b"GET / HTTP/1.1\r\n",
    b"POST /x HTTP/1.0\n",
    b"HEAD /json HTTP/1.1\r\n",
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Expect: 100-continue\r\n",
    b"Connection: keep-alive\r\n",
    b": \r\n",
    b"\r\n",
    b"\n",
    b"hello",
    b"\0\xff",
)


@pytest.mark.parametrize("seed", range(300))
def test_answers_do_not_depend_on_where_the_network_cuts(seed: int) -> None:
    chance = random.Random(seed)
    stream = b"".join(chance.choices(_PIECES, k=chance.randint(1, 12)))
    cut = chance.randint(0, len(stream))
    assert _all_said_to(stream[:cut], stream[cut:]) == _all_said_to(stream)


def _all_said_to(*pieces: bytes) -> bytes:
    conversation = begin()
    for piece in pieces:
        if not conversation.is_over:
            conversation.hear(piece)
    if not conversation.is_over:
        conversation.hear_end()
    return conversation.take()


def test_only_what_leads_further_counts_as_progress() -> None:
    conversation = begin()
    steps = [conversation.hear(piece) for piece in (b"POST / HTTP/1.1\r\nContent", b"-Length: 3\r\n\r\n", b"x", b"xx", b"G")]
    assert steps == [False, True, True, True, False]
