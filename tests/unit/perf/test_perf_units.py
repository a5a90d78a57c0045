"""Units: what people write, and how kemu writes it back."""

from __future__ import annotations

import pytest

from kemu.base.units import (
    read_duration,
    read_packets,
    read_rate,
    read_ratio,
    show_bits_per_second,
    show_bytes,
    show_ratio,
    show_seconds,
    write_duration,
    write_packets,
    write_rate,
    write_ratio,
)


@pytest.mark.parametrize(
    ("text", "bits"),
    [
        ("800mbit", 800_000_000),
        ("10gbit", 10_000_000_000),
        ("1.5 Gbit/s", 1_500_000_000),
        ("64kbit", 64_000),
        ("9600bit", 9600),
        ("1tbit", 10**12),
        ("0.1mbit", 100_000),
    ],
)
def test_a_rate_with_a_unit_is_read(text: str, bits: int) -> None:
    assert read_rate(text) == bits


@pytest.mark.parametrize(
    "text", ["800", "", "mbit", "-1mbit", "100mbps", "100M", "0mbit", "0.5bit", "1e3mbit", "1mibit", "١mbit"]
)
def test_a_rate_that_could_be_mistaken_is_refused_with_what_is_expected(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no rate: expected a number with a unit, .* as in 800mbit") as caught:
        read_rate(text)
    assert str(caught.value).startswith(f'"{text}"')


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5ms", 0.005),
        ("2s", 2.0),
        ("100us", 0.0001),
        ("100µs", 0.0001),
        ("0.1 ms", 0.0001),
        ("50ns", 5e-8),
        ("2min", 120.0),
        ("0s", 0),
    ],
)
def test_a_duration_with_a_unit_is_read_exactly(text: str, seconds: float) -> None:
    assert read_duration(text) == seconds


@pytest.mark.parametrize("text", ["5", "", "ms", "-5ms", "5m", "5 sec", "5ms 1us", "inf s"])
def test_a_duration_that_could_be_mistaken_is_refused_with_what_is_expected(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration: expected a number with a unit"):
        read_duration(text)


def test_a_percentage_is_read_as_a_ratio() -> None:
    assert read_ratio("0.1%") == 0.001
    assert read_ratio("100%") == 1.0
    assert read_ratio("0%") == 0.0


@pytest.mark.parametrize("text", ["0.1", "101%", "-1%", "%", ""])
def test_another_share_than_a_percentage_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no percentage: expected 0% to 100%"):
        read_ratio(text)


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (9.41e9, "9.41 Gbit/s"),
        (10e9, "10 Gbit/s"),
        (941_234_567, "941 Mbit/s"),
        (94.1e6, "94.1 Mbit/s"),
        (999.9e6, "1 Gbit/s"),
        (64_000, "64 kbit/s"),
        (12, "12 bit/s"),
        (0.4, "0.4 bit/s"),
        (0, "0 bit/s"),
        (123_456e12, "123456 Tbit/s"),
        (float("inf"), "inf bit/s"),
    ],
)
def test_a_rate_is_shown_with_three_digits(rate: float, text: str) -> None:
    assert show_bits_per_second(rate) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0012, "1.2 ms"),
        (43e-6, "43 µs"),
        (2.0, "2 s"),
        (0.9999, "1 s"),
        (1234.5, "1234 s"),
        (5e-9, "5 ns"),
        (0, "0 s"),
        (-0.0012, "-1.2 ms"),
    ],
)
def test_a_duration_is_shown_with_three_digits(seconds: float, text: str) -> None:
    assert show_seconds(seconds) == text


@pytest.mark.parametrize(("count", "text"), [(0, "0 B"), (1500, "1.5 kB"), (2_385_510_400, "2.39 GB"), (999, "999 B")])
def test_bytes_are_shown_in_powers_of_a_thousand(count: int, text: str) -> None:
    assert show_bytes(count) == text


@pytest.mark.parametrize(("ratio", "text"), [(0.001, "0.1%"), (0, "0%"), (1, "100%"), (0.123456, "12.3%")])
def test_a_ratio_is_shown_as_a_percentage(ratio: float, text: str) -> None:
    assert show_ratio(ratio) == text


@pytest.mark.parametrize("text", ["1 kbit/s", "941 Mbit/s", "9.41 Gbit/s"])
def test_a_shown_rate_can_be_read_again(text: str) -> None:
    assert show_bits_per_second(read_rate(text)) == text


@pytest.mark.parametrize(("text", "count"), [("100packets", 100), ("1packet", 1), ("20 packets", 20)])
def test_a_queue_is_counted_in_packets(text: str, count: int) -> None:
    assert read_packets(text) == count


@pytest.mark.parametrize("text", ["100", "100p", "100kB", "1.5packets", "packets", "-1packets", "100 packet s"])
def test_a_queue_that_could_be_counted_in_bytes_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no number of packets: expected a whole number with its unit, as in 100packets"):
        read_packets(text)


@pytest.mark.parametrize("text", ["8kbit", "5mbit", "1500kbit", "10gbit", "9601bit"])
def test_a_rate_is_written_as_it_is_read(text: str) -> None:
    assert write_rate(read_rate(text)) == text


@pytest.mark.parametrize("text", ["0s", "5ms", "2500us", "100us", "7ns", "2s"])
def test_a_duration_is_written_as_it_is_read(text: str) -> None:
    assert write_duration(read_duration(text)) == text


@pytest.mark.parametrize("text", ["0%", "0.1%", "30%", "100%", "0.000001%", "33.3%"])
def test_a_percentage_is_written_as_it_is_read(text: str) -> None:
    assert write_ratio(read_ratio(text)) == text


@pytest.mark.parametrize("text", ["1packet", "100packets"])
def test_a_queue_is_written_as_it_is_read(text: str) -> None:
    assert write_packets(read_packets(text)) == text
