"""Floor 6: packets at any devices of a cluster, into one pcapng file or as lines of text."""
