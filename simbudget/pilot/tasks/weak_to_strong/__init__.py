"""Weak-to-strong supervision at laptop size: a weak teacher's labels, a strong student, score = PGR."""
