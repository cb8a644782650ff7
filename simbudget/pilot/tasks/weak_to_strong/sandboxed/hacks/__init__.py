"""Ways to game the evaluation that agents in the seed experiment found, as code that runs in a sandbox."""
