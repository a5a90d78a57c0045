"""Objects as the commands a person would type: one line each, and a whole plan as a commented script for bash."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from kemu.base.units import write_duration, write_ratio
from kemu.plan.objects import (
    MACHINE,
    MAIN,
    Addr,
    Bridge,
    BridgePort,
    Fdb,
    Foreign,
    Forwarding,
    Link,
    Loopback,
    Neigh,
    Netem,
    Netns,
    NftTable,
    Object,
    Pfifo,
    Process,
    Qdisc,
    Route,
    Rule,
    Stray,
    Sysctl,
    Tbf,
    Veth,
    Vxlan,
    place,
)
from kemu.plan.sysctls import IPV4_BASELINE, device_of


def title(item: Object) -> str:  # noqa: PLR0912 (a row for each kind)
    """Return what an object is, in a few words, without its namespace."""
    match item:
        case Netns():
            return "namespace"
        case Link():
            return f"{kind_word(item)} {item.name}"
        case Addr():
            return f"address {item.address} on {item.dev}"
        case Route():
            table = "" if item.table == MAIN else f" in table {item.table}"
            metric = f" metric {item.metric}" if item.metric not in (0, 1024) else ""
            family = " (IPv6)" if item.dst == "::/0" else ""
            kind = "" if item.type == "unicast" else f"{item.type} "
            return f"{kind}route {_destination(item)}{family}{metric}{table}"
        case Rule():
            return " ".join([f"rule {item.priority} (IPv{item.family})", *_selector(item), *_action(item)])
        case Neigh():
            return f"{'proxied neighbour' if item.proxy else 'neighbour'} {item.address} on {item.dev}"
        case Fdb():
            return f"forwarding entry {item.mac} on {item.dev}" + (f" to {item.dst}" if item.dst else "")
        case Sysctl():
            return f"setting {item.name}"
        case Qdisc():
            return f"qdisc {item.kind} on {item.dev} {item.parent}"
        case NftTable():
            return f"nft table {item.family} {item.name}"
        case Forwarding():
            return f"forwarding to the default route (IPv{item.family})"
        case Stray():
            return f"{item.kind} {item.name}"
        case Process():
            return f"{item.kind} {item.name} of {item.pod.replace('.', '/', 1)}" if item.pod else f"process {item.name}"


def command(item: Object, cluster: str, action: str = "add") -> str:
    """Return the command that makes an object, or with action "remove" takes it away, as a person would type it."""
    match item:
        case NftTable():
            return _table_command(item, cluster, action)
        case Forwarding():
            return _forwarding_command(item, action)
        case Process():
            return _line(_process(item, cluster, action))
        case Addr() if action != "remove":
            return "\n".join(map(_line, [_argv(item, cluster, action), *_unconnect(item, cluster)]))
        case _:
            return _line(_argv(item, cluster, action))


def _process(item: Process, cluster: str, action: str) -> list[str]:
    """Return what starts a process, but for the namespaces that it shares with others of its pod; or what ends it."""
    if action == "remove":
        inside = ["kemu", "exec", "-C", cluster, item.pod.replace(".", "/", 1), "--"] if item.pod else []
        return [*inside, "pkill", "-xf", shlex.join(item.command)]
    return [*_exec(item, cluster), *(["env", *item.env] if item.env else []), *item.command]


def _unconnect(addr: Addr, cluster: str) -> Iterator[list[str]]:
    """Yield the commands that take away the kernel's routes which an address is to lack."""
    for network in (what.removeprefix("connected ") for what in addr.lacks if what.startswith("connected ")):
        where = _inside(addr, cluster)
        yield ["ip", *_family(network), *where, "route", "del", network, "dev", addr.dev, "proto", "kernel"]


def _line(argv: list[str]) -> str:
    return shlex.join(argv)


def _argv(item: Object, cluster: str, action: str) -> list[str]:
    ns = _inside(item, cluster)
    verb = {"add": "add", "change": "replace", "remove": "del"}[action]
    match item:
        case Netns():
            return ["ip", "netns", "del" if action == "remove" else "add", place(cluster, item.netns)]
        case Link():
            return _link(item, cluster, action)
        case Addr():
            return ["ip", *ns, "addr", verb, item.address, *_broadcast(item), "dev", item.dev, *_scope(item), *_nodad(item)]
        case Route():
            return ["ip", *_family(item.dst), *ns, "route", verb, *_route(item)]
        case Rule():
            return ["ip", f"-{item.family}", *ns, "rule", "del" if action == "remove" else "add", *_rule(item)]
        case Neigh():
            if item.proxy:
                return ["ip", *ns, "neigh", verb, "proxy", item.address, "dev", item.dev]
            return ["ip", *ns, "neigh", verb, item.address, "lladdr", item.mac, "dev", item.dev, "nud", "permanent"]
        case Fdb():
            return ["bridge", *ns, "fdb", verb, item.mac, "dev", item.dev, *_where(item)]
        case Sysctl():
            return [*_exec(item, cluster), "sysctl", "-qw", f"{item.name}={item.value}"]
        case Qdisc():
            return ["tc", *ns, "qdisc", verb, "dev", item.dev, *_parent(item), "handle", item.handle, *_discipline(item)]
        case Stray():
            return ["ip", *ns, *item.kind.split(), verb, *(["id", item.name] if item.kind == "nexthop" else item.name.split())]
        case NftTable() | Forwarding() | Process():
            raise TypeError(f"a {title(item)} is no single command")


def _inside(item: Object, cluster: str) -> list[str]:
    """Return the option of ip, bridge and tc for an object's namespace: none for the machine's own."""
    return [] if item.netns == MACHINE else ["-n", place(cluster, item.netns)]


def _exec(item: Object, cluster: str) -> list[str]:
    """Return what stands before a command that has no option for an object's namespace."""
    return [] if item.netns == MACHINE else ["ip", "netns", "exec", place(cluster, item.netns)]


def _parent(qdisc: Qdisc) -> list[str]:
    return [qdisc.parent] if qdisc.parent in ("root", "ingress") else ["parent", qdisc.parent]


def _discipline(qdisc: Qdisc) -> list[str]:
    match qdisc.detail:
        case Tbf(rate_bits_per_second=rate, burst_bytes=burst, limit_bytes=limit):
            return ["tbf", "rate", f"{rate}bit", "burst", f"{burst}b", "limit", f"{limit}b"]
        case Netem():
            return ["netem", "limit", str(qdisc.detail.limit_packets), *_impairments(qdisc.detail)]
        case Pfifo(limit_packets=limit):
            return ["pfifo", "limit", str(limit)]
        case Foreign(kind=kind):
            return [kind]


def _impairments(netem: Netem) -> list[str]:
    jitter = [write_duration(netem.jitter_seconds)] if netem.jitter_seconds else []
    words = ["delay", write_duration(netem.delay_seconds), *jitter] if netem.delay_seconds else []
    for name in ("loss", "duplicate", "reorder"):
        ratio = getattr(netem, f"{name}_ratio")
        words += [name, write_ratio(ratio)] if ratio else []
    return words


def show_discipline(qdisc: Qdisc) -> str:
    """Return what a queueing discipline does, as `tc` says it."""
    return " ".join(_discipline(qdisc))


def kind_word(link: Link) -> str:
    """Return what a device is, in a word."""
    match link.detail:
        case Foreign():
            return f"device ({link.detail.kind})"
        case Loopback():
            return "device"
        case _:
            return type(link.detail).__name__.lower()


def _destination(route: Route) -> str:
    return "default" if route.dst in ("0.0.0.0/0", "::/0") else route.dst


def _where(fdb: Fdb) -> list[str]:
    if fdb.own:
        return ["self"]
    return ["dst", fdb.dst, "self", "permanent"] if fdb.dst else ["master", "static"]


def _broadcast(addr: Addr) -> list[str]:
    return ["brd", addr.broadcast] if addr.broadcast else []


def _scope(addr: Addr) -> list[str]:
    return [] if addr.scope == "global" else ["scope", addr.scope]


def _nodad(addr: Addr) -> list[str]:
    return ["nodad"] if ":" in addr.address else []


def _family(address: str) -> list[str]:
    return ["-6"] if ":" in address else []


def _route(route: Route) -> list[str]:
    words = [] if route.type == "unicast" else [route.type]
    words.append(_destination(route))
    pairs: list[tuple[str, object]] = [
        ("via", route.via),
        ("dev", route.dev),
        ("proto", "" if route.protocol == "boot" else route.protocol),
        ("scope", "" if route.scope == "global" else route.scope),
        ("src", route.src),
        ("metric", route.metric),
        ("table", "" if route.table == MAIN else route.table),
        ("mtu", route.mtu),
    ]
    words += [str(word) for pair in pairs if pair[1] for word in pair]
    return [*words, "onlink"] if route.onlink else words


def _rule(rule: Rule) -> list[str]:
    return [*_selector(rule), "priority", str(rule.priority), *_action(rule)]


def _selector(rule: Rule) -> list[str]:
    pairs = [("from", rule.src or "all"), ("to", rule.dst), ("iif", rule.iif), ("oif", rule.oif), ("fwmark", rule.mark)]
    return [word for pair in pairs if pair[1] for word in pair]


def _action(rule: Rule) -> list[str]:
    return ["lookup", str(rule.table)] if rule.action == "lookup" else [rule.action]


def _link(link: Link, cluster: str, action: str) -> list[str]:
    ns = _inside(link, cluster)
    if action == "remove":
        return ["ip", *ns, "link", "del", "dev", link.name]
    if action == "change":
        return ["ip", *ns, "link", "set", "dev", link.name, "address", link.mac, "mtu", str(link.mtu), *_state(link)]
    return ["ip", *ns, "link", "add", "name", link.name, *_identity(link), *_detail(link, cluster)]


def _identity(link: Link) -> list[str]:
    return ["index", str(link.index), "address", link.mac, "mtu", str(link.mtu)]


def _detail(link: Link, cluster: str) -> list[str]:
    match link.detail:
        case Veth(peer_netns=peer_netns, peer=peer):
            return ["type", "veth", "peer", "name", peer, "netns", f"{cluster}.{peer_netns}"]
        case Bridge():
            return ["type", "bridge", *_bridge(link.detail)]
        case Vxlan():
            return ["type", "vxlan", *_vxlan(link.detail)]
        case Loopback() | Foreign():
            return ["type", kind_word(link)]


def _bridge(bridge: Bridge) -> list[str]:
    words = [] if bridge.ageing_seconds == 300 else ["ageing_time", str(bridge.ageing_seconds * 100)]
    words += ["stp_state", "1"] if bridge.stp else []
    words += [] if bridge.multicast_snooping else ["mcast_snooping", "0"]
    return words + (["vlan_filtering", "1"] if bridge.vlan_filtering else [])


def _vxlan(vxlan: Vxlan) -> list[str]:
    words = ["id", str(vxlan.vni), "local", vxlan.local, "dev", vxlan.lower, "dstport", str(vxlan.port)]
    return words if vxlan.learning else [*words, "nolearning"]


def _state(link: Link) -> list[str]:
    words = ["up"] if link.up else ["down"]
    words += ["master", link.master] if link.master else ["nomaster"]
    words += ["alias", link.alias] if link.alias else []
    return words + _flag_words(link)


_FLAG_COMMANDS = {
    "noarp": ("arp", "off"),
    "promisc": ("promisc", "on"),
    "allmulti": ("allmulticast", "on"),
    "nomulticast": ("multicast", "off"),
}


def _flag_words(link: Link) -> list[str]:
    return [part for word in link.flags for part in _FLAG_COMMANDS[word]]


def _table_command(table: NftTable, cluster: str, action: str) -> str:
    ns = _exec(table, cluster)
    if action == "remove":
        return _line([*ns, "nft", "delete", "table", table.family, table.name])
    remove = f"delete table {table.family} {table.name}\n" if action == "change" else ""
    return f"{_line([*ns, 'nft', '-f', '-'])} <<'END'\n{remove}table {table.family} {table.name} {{\n{table.body}\n}}\nEND"


def _forwarding_command(item: Forwarding, action: str) -> str:
    """Return the command that switches forwarding on, or off, for a cluster's device and those of the machine's default routes.

    In IPv6 single devices can forward since Linux 6.17.
    """
    value = 0 if action == "remove" else 1
    devices = f"{item.inner} $(ip -{item.family} route show default | sed -n 's/.* dev \\([^ ]*\\).*/\\1/p')"
    loop = f"for dev in {devices}; do sysctl -qw net/ipv{item.family}/conf/$dev/{_FORWARDING[item.family]}={value}; done"
    if item.family == 4:
        return loop
    return f"if [ -e /proc/sys/net/ipv6/conf/all/force_forwarding ]; then {loop}\nelse sysctl -qw net/ipv6/conf/all/forwarding={value}; fi"


_FORWARDING = {4: "forwarding", 6: "force_forwarding"}


# --- a whole plan -----------------------------------------------------------------------------------------------------------------


def show_script(objects: Iterable[Object], cluster: str) -> str:
    """Return a bash script that makes a plan, as `kemu up` would, on a machine where none of it is."""
    sections = _sections(list(objects), cluster, namespace="namespace {}")
    return "\n".join([_HEAD.format(cluster=cluster, baseline=_baseline()), *filter(None, sections)]) + "\n"


def show_part(objects: Iterable[Object], cluster: str, whom: str) -> str:
    """Return the commands for the part of a plan that serves somebody: to be read, for alone it is no script that makes anything."""
    sections = _sections(list(objects), cluster, namespace="ip netns add {0} && ip -n {0} link set lo alias kemu:{0} up")
    return "\n".join([_PART_HEAD.format(cluster=cluster, whom=whom), *filter(None, sections)]) + "\n"


_PART_HEAD = """\
# What serves {whom} in the cluster {cluster}. The whole, a script with the settings of new namespaces, is without --for.
"""

_HEAD = """\
#!/bin/bash
# The cluster {cluster}, in the commands that a person would type. Run it as root; `kemu down {cluster}` takes it away again.
set -euo pipefail

# A new network namespace copies some settings from the machine's own; these are what the kernel itself would choose
# (an older kernel may lack one).
# The alias of lo says that the namespace is kemu's.
namespace() {{
  ip netns add "$1"
  ip -n "$1" link set lo alias "kemu:$1" up
  ip netns exec "$1" sysctl -q -e -p - <<'END'
{baseline}
END
}}
"""


def _baseline() -> str:
    return "\n".join(f"{name}={value}" for name, value in IPV4_BASELINE.items())


def _sections(objects: list[Object], cluster: str, *, namespace: str) -> Iterator[str]:
    """Yield the commands for objects in the order in which they work; `namespace` is what makes one, with {} for its name."""
    links = [item for item in objects if isinstance(item, Link)]
    devices = {(link.netns, link.name): link for link in links}
    yield _section("Namespaces", (namespace.format(place(cluster, item.netns)) for item in objects if isinstance(item, Netns)))
    early, late = _split_settings([item for item in objects if isinstance(item, Sysctl)], devices)
    yield _section("Settings of whole namespaces", (command(item, cluster) for item in early))
    for heading, kind in (("Bridges", Bridge), ("Veth pairs", Veth), ("Tunnels", Vxlan)):
        chosen = [link for link in links if isinstance(link.detail, kind)]
        yield _section(heading, (line for link in chosen for line in _device_lines(link, devices, cluster)))
    yield _section("Settings of devices", (command(item, cluster) for item in late))
    for heading, wanted in _ENTRY_SECTIONS:
        yield _section(heading, (command(item, cluster) for item in objects if isinstance(item, wanted)))
    if forwarding := [item for item in objects if isinstance(item, Forwarding)]:
        yield _section("Forwarding through this machine", (command(item, cluster) for item in forwarding))
    containers = (item for item in objects if isinstance(item, Process) and item.pod)
    yield _section(
        "Containers: kemu up starts them, this script does not", (f"# {command(item, cluster)}" for item in containers)
    )


_ENTRY_SECTIONS: tuple[tuple[str, type[Object]], ...] = (
    ("Addresses", Addr),
    ("Neighbours", Neigh),
    ("Forwarding entries", Fdb),
    ("Routes", Route),
    ("Rules", Rule),
    ("Rates, delays and losses", Qdisc),
    ("Filters and address translation", NftTable),
)


def _section(heading: str, lines: Iterable[str]) -> str:
    text = "\n".join(lines)
    return f"# {heading}\n{text}\n" if text else ""


def _split_settings(settings: list[Sysctl], devices: Mapping[tuple[str, str], Link]) -> tuple[list[Sysctl], list[Sysctl]]:
    halves: dict[bool, list[Sysctl]] = defaultdict(list)
    for item in settings:
        halves[(item.netns, device_of(item.name)) in devices].append(item)
    return halves[False], halves[True]


def _device_lines(link: Link, devices: Mapping[tuple[str, str], Link], cluster: str) -> Iterator[str]:
    """Yield the commands for a device; a veth pair is made with its bridge's end, or the first by name."""
    words = _argv(link, cluster, "add")
    if isinstance(link.detail, Veth):
        peer = devices[link.detail.peer_netns, link.detail.peer]
        if not is_maker(link, peer):
            return
        i = words.index("peer") + 1
        words = [*words[: i + 2], *_identity(peer), *words[i + 2 :]]
        yield _line(words)
        yield _line(["ip", *_inside(peer, cluster), "link", "set", "dev", peer.name, *_nontrivial_state(peer)])
    else:
        yield _line(words)
    ns = _inside(link, cluster)
    yield _line(["ip", *ns, "link", "set", "dev", link.name, *_nontrivial_state(link)])
    if link.port and link.port != BridgePort():
        yield _line(["bridge", *ns, "link", "set", "dev", link.name, *_port(link.port)])


def is_maker(link: Link, peer: Link) -> bool:
    """Say whether a veth pair is made from `link`: the end on a bridge, else the first by name, and so never towards the machine."""
    return (not link.master, link.netns, link.name) < (not peer.master, peer.netns, peer.name)


def _nontrivial_state(link: Link) -> list[str]:
    words = ["master", link.master] if link.master else []
    words += ["alias", link.alias] if link.alias else []
    return [*words, *_flag_words(link), "up" if link.up else "down"]


def _port(port: BridgePort) -> list[str]:
    plain = BridgePort()
    names = ("hairpin", "isolated", "learning", "flood")
    return [
        word
        for name in names
        if getattr(port, name) != getattr(plain, name)
        for word in (name, "on" if getattr(port, name) else "off")
    ]
