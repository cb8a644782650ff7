"""Review: detectors over the service's database, and a queue for people."""
