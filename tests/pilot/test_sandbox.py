"""The sandbox, attacked by programs that try to get out of it or to see too much."""

import asyncio
import ctypes
import json
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from simbudget.pilot.sandbox.isolation import Isolation, isolation_in_words
from simbudget.pilot.sandbox.limits import MIB
from tests.pilot.attacks import SMALL, attack, kinds, needs_bubblewrap, needs_limits, sandbox


@kinds
def test_a_run_reads_and_leaves_files_and_its_end_is_told(tmp_path: Path, kind: Isolation) -> None:
    box = sandbox(tmp_path / "agent", kind)
    box.write({"data/in.txt": b"41"})
    done = attack(
        box,
        """
        import sys
        open("out.txt", "w").write(str(int(open("data/in.txt").read()) + 1))
        print("said"); print("complained", file=sys.stderr)
        sys.exit(3)
        """,
    )
    assert (done.returncode, done.stdout, done.stderr, done.killed_because) == (
        3,
        "said\n",
        "complained\n",
        None,
    )
    assert box.read("out.txt") == b"42"
    assert not done.ok


@needs_bubblewrap
def test_a_run_sees_neither_labels_nor_other_agents_nor_the_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "a secret")
    secrets = [
        tmp_path / "site.db",
        tmp_path / "site.json",
        tmp_path / "other" / "own.py",
        Path.home() / ".bashrc",
    ]
    for path in secrets[:3]:
        path.parent.mkdir(exist_ok=True)
        path.write_text("secret")
    other = sandbox(tmp_path / "other", "bubblewrap")
    box = sandbox(
        tmp_path / "agent", "bubblewrap", replace(SMALL, memory_bytes=400 * MIB)
    )  # for scikit-learn
    done = attack(
        box,
        """
        import importlib, json, os, pathlib, sys
        seen = []
        for path in sys.argv[1:]:
            for way in (path, "/proc/1/root" + path, "../" * 9 + path, "/proc/self/cwd/../" + path):
                try:
                    seen.append(open(way).read())
                except OSError:
                    pass
        for folder, _, names in os.walk("/"):
            if folder.split("/")[1:2] not in (["usr"], ["proc"], ["dev"]):
                seen += [n for n in names if n in ("site.db", "site.json", "id_rsa", ".bash_history", "digits.csv.gz")]
        for module in ("simbudget.errors", "simbudget.pilot.tasks.weak_to_strong.domains"):
            try:
                importlib.import_module(module); seen.append(module)
            except ImportError:
                pass
        try:
            from sklearn.datasets import load_digits
            seen.append(str(load_digits().target[:3]))
        except OSError:
            pass
        for number in filter(str.isdigit, os.listdir("/proc")):
            try:
                if b"ANTHROPIC" in open(f"/proc/{number}/environ", "rb").read():
                    seen.append("environment of " + number)
            except OSError:
                pass
        status = dict(line.split(":\\t") for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
        print(json.dumps({
            "seen": seen, "home": os.listdir(pathlib.Path.home()), "uid": os.getuid(),
            "processes": len(list(filter(str.isdigit, os.listdir("/proc")))),
            "capabilities": status["CapEff"], "ambient": status["CapAmb"],
        }))
        """,
        60,
        *map(str, [*secrets, other.directory / "own.py"]),
    )
    assert done.ok, done
    found = json.loads(done.stdout)
    assert found["seen"] == []
    assert set(found["home"]) <= {"attack.py", "fuse.py", "__pycache__"}
    assert found["processes"] <= 3
    assert int(found["capabilities"], 16) == int(found["ambient"], 16) == 0
    assert found["uid"] != 0


@needs_bubblewrap
def test_a_run_has_no_network_not_even_the_service(tmp_path: Path) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        done = attack(
            sandbox(tmp_path / "agent", "bubblewrap"),
            """
            import socket, sys
            for place in (("127.0.0.1", int(sys.argv[1])), ("1.1.1.1", 53), ("::1", int(sys.argv[1]))):
                try:
                    socket.create_connection(place, timeout=2); print("reached", place)
                except OSError as error:
                    print("refused")
            try:
                socket.getaddrinfo("example.com", 443); print("reached DNS")
            except OSError:
                print("refused")
            """,
            30,
            str(listening.getsockname()[1]),
        )
    assert done.stdout.split() == ["refused"] * 4


@needs_bubblewrap
def test_a_run_changes_nothing_but_its_directory(tmp_path: Path) -> None:
    done = attack(
        sandbox(tmp_path / "agent", "bubblewrap"),
        """
        import os, sys
        for path in ("/x", "/usr/x", "/etc/x", "/dev/x", "/launcher.py", "/srv/x", "/proc/sys/kernel/hostname",
                     sys.prefix + "/x", os.path.dirname(os.__file__) + "/x.py"):
            try:
                open(path, "w").write("x"); print("wrote", path)
            except OSError:
                pass
        for call in (lambda: os.setuid(0), lambda: os.mknod("disk", 0o60600, os.makedev(254, 0)),
                     lambda: os.chroot("."), lambda: os.kill(-1, 0) or os.kill(1, 9)):
            try:
                call(); print("could", call)
            except OSError:
                pass
        """,
    )
    assert (
        done.stdout == "" or done.stdout.count("could") <= 1
    )  # to signal its own namespace's first process is fine
    assert "wrote" not in done.stdout
    assert not (tmp_path / "agent" / "disk").exists()


@kinds
def test_what_a_run_says_is_bounded(tmp_path: Path, kind: Isolation) -> None:
    done = attack(sandbox(tmp_path / "agent", kind), "print('begin'); print('x' * 3_000_000); print('end')")
    assert done.ok
    assert len(done.stdout) < SMALL.output_bytes + 100
    assert done.stdout.startswith("begin")
    assert done.stdout.endswith("end\n")
    assert "bytes left out" in done.stdout


@kinds
def test_links_that_a_run_leaves_lead_nowhere(tmp_path: Path, kind: Isolation) -> None:
    (tmp_path / "secret").write_text("labels")
    box = sandbox(tmp_path / "agent", kind)
    attack(
        box,
        """
        import os, sys
        os.symlink(sys.argv[1], "answer.json"); os.symlink(sys.argv[2], "domains"); os.mkfifo("pipe")
        """,
        20,
        str(tmp_path / "secret"),
        str(tmp_path),
    )
    assert box.read("answer.json") is None
    assert box.read("pipe") is None
    assert box.read("domains/secret") is None
    box.write({"answer.json": b"{}", "domains/own": b"own"})
    assert (tmp_path / "secret").read_text() == "labels"
    assert not (tmp_path / "own").exists()
    assert box.read("domains/own") == b"own"
    for path in ("../out", "/etc/out", "a/../../out"):
        with pytest.raises(ValueError, match="leads out"):
            box.write({path: b"x"})


@kinds
def test_a_program_that_is_not_there_is_told(tmp_path: Path, kind: Isolation) -> None:
    done = asyncio.run(sandbox(tmp_path / "agent", kind).run(("no-such-program",), 10))
    assert (done.returncode, done.killed_because) == (127, None)
    assert "No such file" in done.stderr


def test_people_are_told_what_is_kept_apart() -> None:
    assert "no network" in isolation_in_words("bubblewrap")
    assert "every file that this user can read" in isolation_in_words("limits only")


@needs_limits
@pytest.mark.skipif(
    ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), 1) < 6,
    reason="the kernel has no Landlock that keeps signals in, as Linux has since 6.12",
)
def test_without_bubblewrap_a_run_changes_nothing_outside_and_signals_nobody_outside(tmp_path: Path) -> None:
    box = sandbox(tmp_path / "agent", "limits only")
    box.counts_in_kernel = False
    (tmp_path / "mine").write_text("stays")
    (tmp_path / "mine").chmod(0o666)
    (tmp_path / "open").mkdir(mode=0o777)
    victim = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        done = attack(
            box,
            f"""
            import os, pathlib, tempfile
            mine, folder = {str(tmp_path / "mine")!r}, {str(tmp_path / "open")!r}
            def refused(function):
                try: function()
                except OSError: return
                print("was not refused", function)
            refused(lambda: open(mine, "a"))
            refused(lambda: os.unlink(mine))
            refused(lambda: os.truncate(mine, 0))
            refused(lambda: open(folder + "/new", "w"))
            refused(lambda: os.mkdir(folder + "/new"))
            refused(lambda: open("/dev/shm/simbudget-test", "w"))
            refused(lambda: open("/dev/zero", "r+b"))
            refused(lambda: os.kill({victim.pid}, 9))
            with tempfile.TemporaryFile() as file, open(os.devnull, "w") as nowhere:
                file.write(b"x"); nowhere.write("x")
            os.mkdir("a"); open("a/b", "w").write("x"); os.rename("a/b", "c"); os.unlink("c")
            if os.fork() == 0:
                os.pause() if hasattr(os, "pause") else __import__("signal").pause()
            print("done")
            """,
        )
        assert victim.poll() is None
    finally:
        victim.kill()
        victim.communicate()
    assert done.stdout == "done\n", done.stdout + done.stderr
    assert (tmp_path / "mine").read_text() == "stays"
