"""Floor 2, pure: YAML to a typed model, with a line and column for every value."""
