"""Floor 4: the only floor that changes the system."""
