"""Presentation: the answer, tables, figures, a timeline. Computes only what is needed for drawing."""

import logging

logging.getLogger("matplotlib").setLevel(
    logging.ERROR
)  # no warnings about font caches of users without a home
