"""Floor 5: the life of a cluster: its state directory, its lock, its processes."""
