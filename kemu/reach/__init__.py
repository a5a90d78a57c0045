"""Floor 6: who reaches whom, by real packets."""
