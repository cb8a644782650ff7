"""Ways to game the evaluation that agents of the seed experiment found, as code that runs in a sandbox."""
