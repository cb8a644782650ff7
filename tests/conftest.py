"""Which tests are fast: `make test-fast` runs those that never simulate with the compiled engine."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent
FAST = (
    "language",
    "packaging",
    "prices",
    "pricing",
    "readers/test_formats.py",
    "readers/test_damage.py",
    "readers/test_variants.py",
    "readers/test_costs.py",
    "reporting/test_narrow.py",
    "reporting/test_results.py",
    "published",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of fast folders and files."""
    for item in items:
        place = item.path.relative_to(HERE).as_posix()
        if any(place == fast or place.startswith(f"{fast}/") for fast in FAST):
            item.add_marker(pytest.mark.fast)
