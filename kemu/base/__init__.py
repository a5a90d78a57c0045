"""Floor 1: errors, names, marks and the reporter. Imports nothing of kemu."""
