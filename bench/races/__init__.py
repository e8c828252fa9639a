"""Two races, run against other session libraries and ours: what is lost, and what comes back to life."""
