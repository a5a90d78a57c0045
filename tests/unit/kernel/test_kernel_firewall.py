from __future__ import annotations

import pytest

from kemu.kernel.firewall import read_dropping, show_way_out

_LISTING = """\
table ip filter {
	chain INPUT {
		type filter hook input priority filter; policy drop;
	}
	chain FORWARD {
		type filter hook forward priority filter; policy drop;
	}
	chain DOCKER-USER {
	}
}
table inet mine {
	chain fwd {
		type filter hook forward priority filter + 10; policy drop;
	}
	chain open {
		type filter hook forward priority filter; policy accept;
	}
}
table bridge filter {
	chain FORWARD {
		type filter hook forward priority -200; policy drop;
	}
}
"""


def test_chains_that_drop_forwarded_packets_are_found() -> None:
    assert read_dropping(_LISTING) == [
        ("ip", "filter", "FORWARD"),
        ("inet", "mine", "fwd"),
        ("bridge", "filter", "FORWARD"),
    ]
    assert read_dropping("") == []


@pytest.mark.parametrize(
    ("table", "chains", "line"),
    [
        (
            ("ip", "filter", "FORWARD"),
            ["FORWARD", "DOCKER-USER"],
            "iptables -I DOCKER-USER -i kemu-lab -j ACCEPT; "
            "iptables -I DOCKER-USER -o kemu-lab -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
        ),
        (
            ("ip6", "filter", "FORWARD"),
            ["FORWARD"],
            "ip6tables -I FORWARD -i kemu-lab -j ACCEPT; "
            "ip6tables -I FORWARD -o kemu-lab -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
        ),
        (("ip", "filter", "FORWARD"), ["FORWARD", "ufw-user-forward"], "ufw route allow in on kemu-lab"),
        (
            ("inet", "mine", "fwd"),
            ["fwd"],
            "nft insert rule inet mine fwd iifname kemu-lab accept; "
            "nft insert rule inet mine fwd oifname kemu-lab ct state established,related accept",
        ),
    ],
)
def test_line_to_type_fits_who_made_the_chain(table: tuple[str, str, str], chains: list[str], line: str) -> None:
    assert show_way_out(*table, "kemu-lab", chains) == line
