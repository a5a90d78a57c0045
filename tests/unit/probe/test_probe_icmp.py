"""ICMP packets as bytes, both ways."""

from __future__ import annotations

import struct

import pytest

from kemu.probe.icmp import NONCE_BYTES, Answer, Requests, read_answer_4, read_answer_6, reason_of

NONCE = bytes(range(1, NONCE_BYTES + 1))


def ipv4(payload: bytes, *, ttl: int = 61, protocol: int = 1, options: bytes = b"") -> bytes:
    words = 5 + len(options) // 4
    header = struct.pack("!BBHHHBBH4s4s", 4 << 4 | words, 0, 20 + len(payload), 0, 0, ttl, protocol, 0, b"\n\0\0\1", b"\n\0\0\2")
    return header + options + payload


def ipv6(payload: bytes, *, following: int = 58) -> bytes:
    return struct.pack("!IHBB", 6 << 28, len(payload), following, 64) + bytes(32) + payload


def echo(kind: int, identifier: int, sequence: int, *, nonce: bytes = NONCE) -> bytes:
    return struct.pack("!BBHHH", kind, 0, 0, identifier, sequence) + nonce


def error(kind: int, code: int, quote: bytes) -> bytes:
    return struct.pack("!BBHI", kind, code, 0, 0) + quote


def ones_complement_sum(packet: bytes) -> int:
    total = sum(struct.unpack(f"!{len(packet) // 2}H", packet))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


@pytest.mark.parametrize(("identifier", "sequence"), [(0, 0), (1, 2), (0xFFFF, 0xFFFF), (0x1234, 0xF0F0)])
def test_checksum_of_a_request_is_right(identifier: int, sequence: int) -> None:
    packet = Requests(4, b"\xff" * NONCE_BYTES).build(identifier, sequence)
    assert ones_complement_sum(packet) == 0xFFFF


def test_requests_carry_type_identifier_sequence_and_nonce() -> None:
    for version, kind in ((4, 8), (6, 128)):
        packet = Requests(version, NONCE).build(7, 9)
        assert packet[0] == kind
        assert struct.unpack_from("!HH", packet, 4) == (7, 9)
        assert packet[8:] == NONCE


def test_reply_is_read_with_its_ttl() -> None:
    assert read_answer_4(memoryview(ipv4(echo(0, 7, 9))), NONCE) == Answer(7, 9, "ok", 61)
    assert read_answer_6(memoryview(echo(129, 7, 9)), NONCE, 60) == Answer(7, 9, "ok", 60)


def test_reply_behind_ip_options_is_read() -> None:
    assert read_answer_4(memoryview(ipv4(echo(0, 7, 9), options=b"\1\1\1\1")), NONCE) == Answer(7, 9, "ok", 61)


def test_reply_to_another_program_is_not_ours() -> None:
    other = b"x" * NONCE_BYTES
    assert read_answer_4(memoryview(ipv4(echo(0, 7, 9, nonce=other))), NONCE) is None
    assert read_answer_6(memoryview(echo(129, 7, 9, nonce=other)), NONCE, 60) is None


def test_error_is_mapped_to_the_request_that_it_quotes() -> None:
    quote = ipv4(echo(8, 7, 9))
    assert read_answer_4(memoryview(ipv4(error(3, 1, quote))), NONCE) == Answer(7, 9, "unreachable-host")
    quote = ipv6(echo(128, 7, 9))
    assert read_answer_6(memoryview(error(1, 0, quote)), NONCE, None) == Answer(7, 9, "unreachable-net")


def test_error_of_an_old_router_quotes_eight_bytes() -> None:
    quote = ipv4(echo(8, 7, 9, nonce=b""))
    assert read_answer_4(memoryview(ipv4(error(11, 0, quote))), NONCE) == Answer(7, 9, "unreachable-ttl")


@pytest.mark.parametrize(
    "quote",
    [
        ipv4(echo(8, 7, 9, nonce=b"x" * NONCE_BYTES)),
        ipv4(echo(0, 7, 9)),
        ipv4(echo(8, 7, 9), protocol=17),
        ipv4(echo(8, 7, 9))[:20],
        b"",
    ],
)
def test_error_about_something_else_is_not_ours(quote: bytes) -> None:
    assert read_answer_4(memoryview(ipv4(error(3, 1, quote))), NONCE) is None


def test_truncated_packets_are_no_answers() -> None:
    for length in range(20, 28):
        assert read_answer_4(memoryview(ipv4(echo(0, 7, 9))[:length]), NONCE) is None
    assert read_answer_6(memoryview(echo(129, 7, 9)[:7]), NONCE, None) is None


@pytest.mark.parametrize(
    ("version", "kind", "code", "reason"),
    [
        (4, 3, 0, "unreachable-net"),
        (4, 3, 3, "unreachable-port"),
        (4, 3, 4, "too-big"),
        (4, 3, 13, "unreachable-admin"),
        (4, 3, 99, "error"),
        (4, 11, 0, "unreachable-ttl"),
        (4, 12, 0, "error"),
        (6, 1, 1, "unreachable-admin"),
        (6, 1, 3, "unreachable-host"),
        (6, 1, 4, "unreachable-port"),
        (6, 2, 0, "too-big"),
        (6, 3, 0, "unreachable-ttl"),
    ],
)
def test_icmp_errors_have_words(version: int, kind: int, code: int, reason: str) -> None:
    assert reason_of(version, kind, code) == reason
