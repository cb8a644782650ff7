"""Published evidence on how often results of autonomous research hold, and the defaults derived from it."""
