"""What is learnt of one quantity: typical value, scatter, shape, levels of runs, and how sure that is."""
