"""The blocks of a pcapng file, byte for byte.

Source: draft-ietf-opsawg-pcapng, sections 3 and 4; the expected bytes are written down from there, not from what kemu makes.
"""

from __future__ import annotations

import pytest

from kemu.capture import pcapng

TIME = 0x0000000123456789


def _hex(text: str) -> bytes:
    """Return bytes written in hexadecimal; what follows a # is a comment."""
    return bytes.fromhex("".join(line.partition("#")[0] for line in text.splitlines()))


def test_a_file_begins_with_its_section() -> None:
    assert pcapng.build_section(hardware="x86_64", system="Linux", application="kemu 1") == _hex("""
        0a0d0d0a 44000000      # Section Header Block, its length
        4d3c2b1a 0100 0000     # byte order magic as little endian writes it, version 1.0
        ffffffffffffffff       # the section's length is not known
        0200 0600 7838365f36340000   # shb_hardware
        0300 0500 4c696e7578000000   # shb_os
        0400 0600 6b656d7520310000   # shb_userappl
        00000000               # no more options
        44000000
    """)


def test_an_interface_has_its_name_and_counts_nanoseconds() -> None:
    block = pcapng.build_interface(
        name="n1%eth0", description="veth", link_type=1, snap_length=262144, mac="02:00:00:00:00:01", expression="arp"
    )
    assert block == _hex("""
        01000000 48000000      # Interface Description Block, its length
        0100 0000 00000400     # LINKTYPE_ETHERNET, reserved, snap length
        0200 0700 6e312565746830 00   # if_name
        0300 0400 76657468            # if_description
        0600 0600 020000000001 0000   # if_MACaddr
        0900 0100 09 000000           # if_tsresol: 10^-9
        0b00 0400 00 617270           # if_filter: a libpcap expression
        00000000
        48000000
    """)


def test_an_interface_without_mac_and_filter_says_neither() -> None:
    block = pcapng.build_interface(name="t", description="d", link_type=101, snap_length=96)
    assert block == _hex("""
        01000000 30000000 6500 0000 60000000
        0200 0100 74000000  0300 0100 64000000  0900 0100 09000000  00000000
        30000000
    """)


def test_a_packet_has_its_time_its_lengths_and_its_direction() -> None:
    assert pcapng.build_packet(2, TIME, pcapng.OUTBOUND, 1500, b"\xaa\xbb\xcc\xdd\xee") == _hex("""
        06000000 34000000      # Enhanced Packet Block, its length
        02000000               # the third interface
        01000000 89674523      # the upper half of the time first
        05000000 dc050000      # captured, and on the wire
        aabbccddee 000000      # padded to 32 bits
        0200 0400 02000000     # epb_flags: outbound
        00000000
        34000000
    """)


@pytest.mark.parametrize("length", range(9))
def test_blocks_are_of_whole_words_and_end_with_their_length(length: int) -> None:
    block = pcapng.build_packet(0, TIME, pcapng.INBOUND | pcapng.BROADCAST, length, bytes(length))
    assert len(block) % 4 == 0
    assert block[4:8] == block[-4:] == len(block).to_bytes(4, "little")
    assert block[-12:-8] == bytes([0b01101, 0, 0, 0])


def test_statistics_say_what_came_and_what_was_lost() -> None:
    assert pcapng.build_statistics(1, start=TIME, end=TIME + 1, received=258, dropped=3) == _hex("""
        05000000 4c000000      # Interface Statistics Block, its length
        01000000               # the second interface
        01000000 8a674523      # when this was counted
        0200 0800 01000000 89674523   # isb_starttime
        0300 0800 01000000 8a674523   # isb_endtime
        0400 0800 0201000000000000    # isb_ifrecv
        0500 0800 0300000000000000    # isb_ifdrop
        00000000
        4c000000
    """)
