"""Filters as the kernel wants them, and tags that it took off."""

from __future__ import annotations

from kemu.kernel.capture import ETHERNET, compile_filter, put_tag, read_program


def test_a_program_is_eight_bytes_an_instruction() -> None:
    assert read_program("2\n40 0 0 12\n6 0 3 262144\n").hex(" ", 4) == "28000000 0c000000 06000003 00000400"


def test_no_filter_is_one_instruction_that_keeps_the_head_of_every_packet() -> None:
    assert compile_filter("", ETHERNET, 96) == bytes.fromhex("06000000 60000000")


def test_a_tag_goes_behind_the_addresses() -> None:
    assert put_tag(bytes(range(14)), 0x2005, 0x8100) == bytes(range(12)) + bytes.fromhex("8100 2005") + bytes([12, 13])
