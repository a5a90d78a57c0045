"""Floor 7: whether what a file expects holds, by real packets."""
