"""`python -m kemu.agent <cluster>`: started by `kemu up`, in the fabric's network namespace."""

from __future__ import annotations

import sys

from kemu.agent.program import run

if __name__ == "__main__":
    run(sys.argv[1])
