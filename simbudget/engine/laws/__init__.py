"""The laws: small pure functions of plain numbers, compiled once and called by every engine.

Times are whole nanoseconds (`_ns`), so that sums of durations are exact and two things that happen at the
same instant really do; money is US dollars; token counts are whole numbers.
"""
