"""What a person sees: the answer, tables, pictures, a timeline. Nothing is computed here but what is drawn."""

import logging

logging.getLogger("matplotlib").setLevel(logging.ERROR)  # who has no home is not told where fonts are kept
