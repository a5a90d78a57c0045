"""Floor 5: sockets in namespaces: what the features measure with."""
