"""Without a home that can be written to, as in a container that runs as any user."""

import os
import stat
import subprocess
import sys
from pathlib import Path

FOLDER = "from simbudget.compilation import CODE_FOLDER; print(CODE_FOLDER)"
LAW = "from simbudget.distributions.sampling import normal_score; print(round(normal_score(0.5), 9))"
PICTURES = "import simbudget.report, matplotlib.font_manager"


def said(code: str, temporary: Path) -> str:
    """Return what Python says, on either channel, where nothing can be written but temporary files."""
    nowhere = {
        "HOME": "/dev/null",
        "XDG_CACHE_HOME": "/dev/null/cache",
        "XDG_CONFIG_HOME": "/dev/null/config",
    }
    own = ("NUMBA_CACHE_DIR", "MPLCONFIGDIR")
    environment = {name: value for name, value in os.environ.items() if name not in own}
    environment |= {**nowhere, "TMPDIR": str(temporary)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return done.stdout.strip() + done.stderr


def test_machine_code_is_kept_among_the_temporary_files_where_only_its_user_can_write(tmp_path: Path) -> None:
    folder = Path(said(FOLDER, tmp_path))
    assert folder.parent == tmp_path / f"simbudget-{os.getuid()}"
    assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
    assert said(LAW, tmp_path) == "0.0"
    assert list(folder.rglob("*.nbc"))
    assert Path(said(FOLDER, tmp_path)) == folder


def test_machine_code_of_a_folder_that_others_can_write_to_is_not_run(tmp_path: Path) -> None:
    planted = tmp_path / f"simbudget-{os.getuid()}"
    planted.mkdir()
    planted.chmod(0o777)
    assert planted not in Path(said(FOLDER, tmp_path)).parents
    planted.rmdir()
    planted.symlink_to(tmp_path)
    assert planted not in Path(said(FOLDER, tmp_path)).parents


def test_pictures_are_drawn_without_a_word_about_where_fonts_are_kept(tmp_path: Path) -> None:
    assert said(PICTURES, tmp_path) == ""
