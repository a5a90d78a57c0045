"""show_matrix: what a reader sees."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

from kemu.cli.matrix import show_matrix
from kemu.reach.model import Matrix, Probe, Protocol, Result


def result(sender: str, receiver: str, reason: str = "ok", *, family: str = "ipv4", expected: str | None = None) -> Result:
    return Result(
        sender=f"pod/default/{sender}",
        receiver=f"pod/default/{receiver}",
        address="10.244.0.2",
        family=family,
        ok=reason == "ok",
        reason=reason,
        expected=expected,
    )


def matrix(results: Sequence[Result], probe: Probe | None = None) -> Matrix:
    nodes = {f"pod/default/p{number}": f"n{number % 2}" for number in range(100)}
    return Matrix(cluster="demo", probe=probe or Probe(), results=tuple(results), nodes=nodes)


def all_ok(size: int) -> list[Result]:
    return [result(f"p{one}", f"p{other}") for one, other in permutations(range(size), 2)]


def test_healthy_cluster_is_a_grid_and_a_sentence() -> None:
    assert show_matrix(matrix(all_ok(3))).splitlines() == [
        "  from \\ to  1  2  3",
        "1 p0         . ok ok",
        "2 p1        ok  . ok",
        "3 p2        ok ok  .",
        "",
        "6 of 6 pairs reached (pods, icmp)",
    ]


def test_losses_are_marked_explained_and_counted_by_reason() -> None:
    results = [result("a", "b", "timeout"), result("b", "a", "unreachable-host")]
    assert show_matrix(matrix(results)).splitlines() == [
        "  from \\ to     1 2",
        "1 a             . X",
        "2 b         !host .",
        "X = no answer, !… = somebody answers that it is unreachable",
        "",
        "0 of 2 pairs reached (pods, icmp): 1 timeout, 1 unreachable-host",
    ]


def test_families_that_differ_are_told_apart() -> None:
    text = show_matrix(matrix([result("a", "b"), result("a", "b", "timeout", family="ipv6")]))
    assert "4:ok/6:X" in text
    assert text.endswith("1 of 2 pairs reached (pods, icmp, ipv4 and ipv6): 1 timeout")


def test_families_that_agree_share_a_mark() -> None:
    text = show_matrix(matrix([result("a", "b"), result("a", "b", family="ipv6")]))
    assert "1 a         ok" in text


def test_pair_denied_as_intended_is_not_lost() -> None:
    text = show_matrix(matrix([result("a", "b", "timeout", expected="deny"), result("b", "a")]))
    assert "deny = denied, as intended" in text
    assert text.endswith("1 of 2 pairs reached (pods, icmp): 1 denied as intended")


def test_pair_that_should_be_denied_and_is_not_is_told() -> None:
    text = show_matrix(matrix([result("a", "b", expected="deny")]))
    assert "open!" in text
    assert text.endswith("1 of 1 pairs reached (pods, icmp): 1 reached that should be denied")


def test_port_is_named() -> None:
    text = show_matrix(matrix([result("a", "b")], Probe(protocol=Protocol.TCP, port=80)))
    assert text.endswith("1 of 1 pairs reached (pods, tcp 80)")


def test_receivers_that_send_nothing_are_named_under_the_grid() -> None:
    assert "\nto: 2 b\n" in show_matrix(matrix([result("a", "b")]))


def test_names_that_end_the_same_are_written_in_full() -> None:
    other = Result(sender="node/a", receiver="pod/default/a", address="10.0.0.1", family="ipv4", ok=True, reason="ok")
    text = show_matrix(matrix([other]))
    assert "1 node/a" in text
    assert text.endswith("(pods, nodes, icmp)")


def test_large_healthy_cluster_is_a_sentence() -> None:
    assert show_matrix(matrix(all_ok(40))) == "1560 of 1560 pairs reached (pods, icmp)"


def test_losses_of_a_large_cluster_are_grouped_by_node() -> None:
    results = [result(one.sender[12:], one.receiver[12:], _fate(one)) for one in all_ok(40)]
    assert show_matrix(matrix(results)).splitlines() == [
        "n0 -> n0: 9 of 380 lost: 9 timeout",
        "    p0 -> p2, p0 -> p4, p0 -> p6, p0 -> p8, p0 -> p10, 4 more",
        "n1 -> n0: 400 of 400 lost: 400 refused",
        "",
        "1151 of 1560 pairs reached (pods, icmp): 400 refused, 9 timeout",
    ]


def _fate(one: Result) -> str:
    sender, receiver = (int(name[13:]) for name in (one.sender, one.receiver))
    if sender == 0 and receiver % 2 == 0 and receiver < 20:
        return "timeout"
    return "refused" if sender % 2 and not receiver % 2 else "ok"


def test_nothing_probed_is_said() -> None:
    assert show_matrix(matrix([])) == "0 of 0 pairs reached (icmp)"
