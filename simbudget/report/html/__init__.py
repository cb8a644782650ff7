"""The HTML report to share: one self-contained file that needs no network."""
