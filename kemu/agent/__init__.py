"""Floor 6: one process a cluster that looks after its containers and serves its ports; only where the plan needs it."""
