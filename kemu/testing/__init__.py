"""Floor 9: what tests of other projects use. Its plugin is loaded by every pytest, so it imports nothing that takes time."""
