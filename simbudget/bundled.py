"""Files shipped with simbudget: example scenarios with their sources, and the documentation."""

from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Final

_INSTALLED: Final = Path(str(files("simbudget"))) / "share"
_CHECKED_OUT: Final = Path(str(files("simbudget"))).parent


def bundled_folder(name: str) -> Path:
    """Return the folder `scenarios` or `docs`: inside the installed package, or beside it in a source checkout."""
    installed = _INSTALLED / name
    return installed if installed.is_dir() else _CHECKED_OUT / name


def bundled_scenarios() -> dict[str, Path]:
    """Return the paths of the bundled scenarios by name."""
    return {path.stem: path for path in sorted(bundled_folder("scenarios").glob("*.yaml"))}


def scenario_path(name: str | Path) -> Path:
    """Return the path that a user means: an existing path, or else the bundled scenario of that name."""
    path = Path(name)
    if path.exists() or path.suffix or len(path.parts) != 1:
        return path
    return bundled_scenarios().get(str(name), path)


def where_scenarios_are(name: str | Path) -> str:
    """Return advice on a scenario that was not found: the bundled one that its name resembles, or how to write one."""
    near = get_close_matches(Path(name).stem, bundled_scenarios(), 1)
    return f"did you mean the bundled `{near[0]}`?" if near else "`simbudget init DIR` writes one"
