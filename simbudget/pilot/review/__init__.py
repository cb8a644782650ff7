"""Review: detectors that search a pilot's submissions for cheating, and a queue for people."""
