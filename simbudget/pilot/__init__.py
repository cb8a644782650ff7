"""The pilot: a short, real run of a scenario, to calibrate on."""
