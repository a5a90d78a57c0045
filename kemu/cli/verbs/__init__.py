"""One file a verb; a verb is found by being here."""
