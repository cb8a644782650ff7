"""Types of arrays. A docstring gives the axes in brackets: `[worlds, plans]`."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
