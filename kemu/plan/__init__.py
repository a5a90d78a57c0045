"""Floor 3, pure: model to desired kernel objects, their difference from what is, and their text."""
