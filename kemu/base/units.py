"""Units: what people write ("800mbit", "5ms", "0.1%") and read ("9.41 Gbit/s"); inside kemu there are bit/s, seconds, bytes, ratios.

A number whose unit could be mistaken is refused: bare numbers, and `mbps`, which is megabits to some and megabytes to tc.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal

_NUMBER = re.compile(r"(\d+(?:\.\d+)?|\.\d+) ?(\D*)", re.ASCII)

_RATES: Mapping[str, Decimal] = {
    "bit": Decimal(1),
    "kbit": Decimal("1e3"),
    "mbit": Decimal("1e6"),
    "gbit": Decimal("1e9"),
    "tbit": Decimal("1e12"),
}
_DURATIONS: Mapping[str, Decimal] = {
    "ns": Decimal("1e-9"),
    "us": Decimal("1e-6"),
    "µs": Decimal("1e-6"),  # the micro sign
    "μs": Decimal("1e-6"),  # the Greek letter, which keyboards also write
    "ms": Decimal("1e-3"),
    "s": Decimal(1),
    "min": Decimal(60),
}
_NANOSECONDS = ((10**9, "s"), (10**6, "ms"), (10**3, "us"), (1, "ns"))
_RATE_NAMES = ((1e12, "Tbit/s"), (1e9, "Gbit/s"), (1e6, "Mbit/s"), (1e3, "kbit/s"), (1, "bit/s"))
_SECOND_NAMES = ((1, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
_BYTE_NAMES = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1, "B"))


def read_rate(text: str) -> int:
    """Return the bit/s of a rate like `800mbit`, `10gbit` or `1.5 Gbit/s`; ValueError says what is expected."""
    number, unit = _split(text)
    factor = _RATES.get(unit.lower().removesuffix("/s"))
    bits = number * factor if factor else Decimal(0)
    if bits < 1 or bits != bits.to_integral_value():
        raise ValueError(f'"{text}" is no rate: expected a number with a unit, bit, kbit, mbit, gbit or tbit, as in 800mbit')
    return int(bits)


def read_duration(text: str) -> float:
    """Return the seconds of a duration like `5ms`, `100us` or `2s`; ValueError says what is expected."""
    number, unit = _split(text)
    factor = _DURATIONS.get(unit)
    if factor is None:
        raise ValueError(f'"{text}" is no duration: expected a number with a unit, ns, us, ms, s or min, as in 5ms')
    return float(number * factor)


def read_ratio(text: str) -> float:
    """Return the share, 0 to 1, of a percentage like `0.1%`; ValueError says what is expected."""
    number, unit = _split(text)
    if unit != "%" or number > 100:
        raise ValueError(f'"{text}" is no percentage: expected 0% to 100%, as in 0.1%')
    return float(number / 100)


def read_packets(text: str) -> int:
    """Return the number of packets of a queue like `100packets`; ValueError says what is expected."""
    number, unit = _split(text)
    if unit not in ("packet", "packets") or number != number.to_integral_value():
        raise ValueError(f'"{text}" is no number of packets: expected a whole number with its unit, as in 100packets')
    return int(number)


def write_rate(bits_per_second: int) -> str:
    """Return a rate as `read_rate` reads it, exactly: `800mbit`."""
    unit = next(unit for unit, factor in reversed([*_RATES.items()]) if bits_per_second % int(factor) == 0)
    return f"{bits_per_second // int(_RATES[unit])}{unit}"


def write_duration(seconds: float) -> str:
    """Return a duration as `read_duration` reads it, to the nanosecond: `5ms`."""
    nanoseconds = round(seconds * 1e9)
    factor, unit = next(row for row in _NANOSECONDS if nanoseconds % row[0] == 0)
    return f"{nanoseconds // factor}{unit}"


def write_ratio(ratio: float) -> str:
    """Return a share as `read_ratio` reads it, to six digits of a percent: `0.1%`."""
    return f"{ratio * 100:.6f}".rstrip("0").rstrip(".") + "%"


def write_packets(count: int) -> str:
    """Return a number of packets as `read_packets` reads it: `100packets`."""
    return f"{count}packet{'' if count == 1 else 's'}"


def show_bits_per_second(bits_per_second: float) -> str:
    """Return a rate with three significant digits: `9.41 Gbit/s`."""
    return _show(bits_per_second, _RATE_NAMES)


def show_seconds(seconds: float) -> str:
    """Return a duration with three significant digits: `1.2 ms`."""
    return _show(seconds, _SECOND_NAMES)


def show_bytes(count: float) -> str:
    """Return an amount of data with three significant digits, in powers of 1000 as rates have: `1.5 kB`."""
    return _show(count, _BYTE_NAMES)


def show_ratio(ratio: float) -> str:
    """Return a share as a percentage with three significant digits: `0.1%`."""
    return f"{_digits(ratio * 100)}%"


def _split(text: str) -> tuple[Decimal, str]:
    match = _NUMBER.fullmatch(text.strip())
    return (Decimal(match[1]), match[2]) if match else (Decimal(-1), "")


def _show(value: float, names: Sequence[tuple[float, str]]) -> str:
    if not math.isfinite(value):
        return f"{value} {names[-1][1]}"
    value = float(f"{value:.3g}") if abs(value) < names[0][0] * 1000 else value  # 999.9 Mbit/s reads as 1 Gbit/s
    base = names[0] if value == 0 and names[0][0] == 1 else names[-1]
    factor, name = next((row for row in names if abs(value) >= row[0]), base)
    return f"{_digits(value / factor)} {name}"


def _digits(number: float) -> str:
    return f"{number:.0f}" if abs(number) >= 1000 else f"{float(f'{number:.3g}'):.10g}"
