"""nftables through the library that `nft` itself is made of, in the namespace that the thread is in: no process a table."""

from __future__ import annotations

import ctypes
import re
from functools import cache

from kemu.base.errors import MachineError
from kemu.kernel.netlink import Netlink, attributes

_STATELESS = 1 << 2  # NFT_CTX_OUTPUT_STATELESS. Source: include/nftables/libnftables.h of nftables
_NETFILTER = 12
_NFT_MSG_GETTABLE = 10 << 8 | 1  # NFNL_SUBSYS_NFTABLES. Source: include/uapi/linux/netfilter/nf_tables.h
_FAMILIES = {1: "inet", 2: "ip", 3: "arp", 5: "netdev", 7: "bridge", 10: "ip6"}


@cache
def _library() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL("libnftables.so.1")
    except OSError as error:
        raise MachineError(f"nftables' library cannot be loaded: {error}", hint="apt-get install nftables") from None
    library.nft_ctx_new.restype = ctypes.c_void_p
    library.nft_ctx_get_output_buffer.restype = ctypes.c_char_p
    library.nft_ctx_get_error_buffer.restype = ctypes.c_char_p
    for name in (
        "nft_ctx_free",
        "nft_ctx_buffer_output",
        "nft_ctx_buffer_error",
        "nft_ctx_get_output_buffer",
        "nft_ctx_get_error_buffer",
    ):
        getattr(library, name).argtypes = [ctypes.c_void_p]
    library.nft_ctx_output_set_flags.argtypes = [ctypes.c_void_p, ctypes.c_uint]
    library.nft_run_cmd_from_buffer.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    return library


def run(commands: str) -> str:
    """Carry out nft commands in one transaction and return what they print. Raises OSError with nft's own words."""
    library = _library()
    context = library.nft_ctx_new(0)
    try:
        library.nft_ctx_output_set_flags(context, _STATELESS)
        library.nft_ctx_buffer_output(context)
        library.nft_ctx_buffer_error(context)
        if library.nft_run_cmd_from_buffer(context, commands.encode()):
            raise OSError(22, library.nft_ctx_get_error_buffer(context).decode(errors="replace").strip())
        output: bytes = library.nft_ctx_get_output_buffer(context)
        return output.decode()
    finally:
        library.nft_ctx_free(context)


def tables() -> list[tuple[str, str]]:
    """Return (family, name) of every table of the namespace that the thread is in."""
    socket = Netlink(_NETFILTER)
    try:
        dump = socket.dump(_NFT_MSG_GETTABLE, bytes(4))
    finally:
        socket.close()
    return sorted((_FAMILIES[message[16]], attributes(message[20:])[1].rstrip(b"\0").decode()) for message in dump)


def body(family: str, name: str) -> str:
    """Return what stands between the braces of a table's listing, without counters."""
    listing = run(f"list table {family} {name}")
    return normal(listing[listing.index("{") + 1 : listing.rindex("}")])


def add(family: str, name: str, text: str) -> str:
    """Return the commands that put a table with this body where there is none of its name."""
    return f"table {family} {name} {{\n{text}\n}}\n"


def replace(family: str, name: str, text: str) -> str:
    """Return the commands that put a table with this body in the place of whatever has its name, in one transaction."""
    return f"add table {family} {name}\ndelete table {family} {name}\n{add(family, name, text)}"


def normal(text: str) -> str:
    """Return a table's body without empty lines and trailing space, and without the handles that change with every load."""
    lines = (re.sub(r" # handle \d+$", "", line.rstrip()) for line in text.splitlines())
    return "\n".join(line for line in lines if line.strip())
