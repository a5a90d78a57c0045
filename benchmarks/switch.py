"""Mininet's hosts on one Linux bridge, timed. Runs with the system's Python, in private namespaces: its clean-up kills by name.

unshare --pid --fork --mount --mount-proc --net python3 benchmarks/switch.py COUNT     prints {"up_seconds": …, "down_seconds": …}
"""

import json
import sys
import time

from mininet.log import setLogLevel
from mininet.net import Mininet
from mininet.nodelib import LinuxBridge
from mininet.topo import SingleSwitchTopo


def main():
    """Bring the network up and down."""
    setLogLevel("error")
    start = time.perf_counter()
    net = Mininet(topo=SingleSwitchTopo(int(sys.argv[1])), switch=LinuxBridge, controller=None)
    net.start()
    up = time.perf_counter()
    net.stop()
    down = time.perf_counter()
    sys.stdout.write(json.dumps({"up_seconds": up - start, "down_seconds": down - up}))


main()
