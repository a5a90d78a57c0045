"""`python -m kemu` is `kemu`."""

from kemu.cli.main import main

main()
