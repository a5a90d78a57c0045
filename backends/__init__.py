"""Data planes, one a file. A module without a leading underscore is a backend: `host_gw.py` is `host-gw`."""
