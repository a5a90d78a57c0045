"""What scripts/generate writes, one file for each kind of page."""
