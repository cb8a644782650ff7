"""The families of distributions that a quantity may follow, and how each is lowered to numbers.

A `Distribution` is a value: a family and its parameters, in base units. `row()` lowers it to a flat row of
numbers that `sampling.quantile` turns, with one uniform, into a draw.
"""
