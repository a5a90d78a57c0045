"""Floor 7: one topology over several backends."""
