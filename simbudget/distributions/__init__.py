"""The families of distributions: their parameters, their quantiles, and draws from uniforms."""
