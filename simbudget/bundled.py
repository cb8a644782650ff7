"""What comes with simbudget: scenarios to start from, each with its sources, and the documentation."""

from importlib.resources import files
from pathlib import Path
from typing import Final

_INSTALLED: Final = Path(str(files("simbudget"))) / "share"
_CHECKED_OUT: Final = Path(str(files("simbudget"))).parent


def bundled_folder(name: str) -> Path:
    """Return where `scenarios` or `docs` are: in the installed package, or beside it in a working tree."""
    installed = _INSTALLED / name
    return installed if installed.is_dir() else _CHECKED_OUT / name


def bundled_scenarios() -> dict[str, Path]:
    """Return every scenario that comes with simbudget by its name."""
    return {path.stem: path for path in sorted(bundled_folder("scenarios").glob("*.yaml"))}


def scenario_path(name: str | Path) -> Path:
    """Return the file that a user names: a path, or the name of a bundled scenario where there is no such file."""
    path = Path(name)
    if path.exists() or path.suffix or len(path.parts) != 1:
        return path
    return bundled_scenarios().get(str(name), path)
