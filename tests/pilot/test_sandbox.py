"""The sandbox, attacked by programs that try to get out of it, to see too much, or to use too much."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
import uuid
from pathlib import Path

import psutil
import pytest

from simbudget.errors import UserError
from simbudget.pilot.sandbox.isolation import Isolation, isolation, isolation_in_words, own_user
from simbudget.pilot.sandbox.limits import MIB, Completed, Limits
from simbudget.pilot.sandbox.sandbox import Sandbox

SMALL = Limits(memory_bytes=200 * MIB, cpu_s=20, processes=20, disk_bytes=20 * MIB, files=200)

needs_bubblewrap = pytest.mark.skipif(
    isolation() != "bubblewrap", reason="bubblewrap does not work on this machine: apt-get install bubblewrap"
)


def _limits_bind() -> bool:
    """Return whether this user's programs can be limited without bubblewrap: never try a fork bomb otherwise."""
    try:
        own_user(Path(tempfile.gettempdir()), "limits only")
    except UserError:
        return False
    return True


needs_limits = pytest.mark.skipif(
    not _limits_bind(), reason="run by root, with a Python that only root can get to"
)
kinds = pytest.mark.parametrize(
    "kind",
    [pytest.param("bubblewrap", marks=needs_bubblewrap), pytest.param("limits only", marks=needs_limits)],
)

FUSE = """
import os
def running():
    return len([one for one in os.listdir("/proc") if one.isdigit()])
BEFORE = running()
def fuse():
    if running() > BEFORE + 600:
        open("escaped", "w").close()
        os._exit(1)
"""
"""What every test that forks on calls first: should a limit not hold, the test fails, and the machine stands."""


def sandbox(folder: Path, kind: Isolation, limits: Limits = SMALL) -> Sandbox:
    """Return a sandbox; root's runs without bubblewrap are another user's, who has to get to pytest's folder."""
    if os.geteuid() == 0 and kind == "limits only":
        for one in folder.parents[:3]:
            one.chmod(one.stat().st_mode | 0o011)
    return Sandbox(folder, limits, kind)


def attack(box: Sandbox, program: str, timeout_s: float = 120, *arguments: str) -> Completed:
    """Run a Python program in a sandbox."""
    box.write({"attack.py": textwrap.dedent(program).encode(), "fuse.py": FUSE.encode()})
    return asyncio.run(box.run(("python", "attack.py", *arguments), timeout_s))


def alive(mark: str) -> list[int]:
    """Return the processes that carry a mark in their command line."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        if mark in " ".join(process.info["cmdline"] or []) and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process.pid)
    return [one for one in found if one != os.getpid()]


def gone(mark: str, patience_s: float = 60) -> bool:
    """Return whether all processes with a mark are gone, after a moment."""
    give_up = time.monotonic() + patience_s
    while alive(mark):
        if time.monotonic() > give_up:
            return False
        time.sleep(0.02)
    return True


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


@kinds
def test_processor_time_is_counted_to_the_end_with_that_of_children(tmp_path: Path, kind: Isolation) -> None:
    done = attack(
        sandbox(tmp_path / "agent", kind),
        """
        import os, time
        def work(until):
            while time.process_time() < until: pass
        if os.fork() == 0:
            work(0.05)
            os._exit(0)
        os.wait()
        work(0.05)
        """,
    )
    assert done.ok
    assert done.cpu_s >= 0.1


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
    box = sandbox(tmp_path / "agent", "bubblewrap")
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
        for module in ("simbudget", "simbudget.pilot.tasks.weak_to_strong.domains"):
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
def test_forking_without_end_gets_nowhere(tmp_path: Path, kind: Isolation) -> None:
    mark = uuid.uuid4().hex
    done = attack(
        sandbox(tmp_path / "agent", kind),
        """
        import os, time
        from fuse import fuse
        while True:
            fuse()
            try:
                if os.fork() == 0:
                    os.setsid()
            except OSError:
                open("refused", "w").close()
                time.sleep(0.01)
        """,
        2,
        mark,
    )
    assert not (tmp_path / "agent" / "escaped").exists()
    assert done.killed_because in {"timeout", "processes", "cpu"}
    assert gone(mark)
    assert (tmp_path / "agent" / "refused").exists()


@needs_bubblewrap
def test_the_limit_on_processes_binds_in_the_kernel(tmp_path: Path) -> None:
    done = attack(
        sandbox(tmp_path / "agent", "bubblewrap"),
        """
        import os, time
        from fuse import fuse
        made = 0
        try:
            while made < 200:
                fuse()
                if os.fork() == 0:
                    time.sleep(30)
                made += 1
        except OSError:
            pass
        print(made, flush=True)
        os._exit(0)
        """,
    )
    assert 10 <= int(done.stdout) <= SMALL.processes


@kinds
def test_a_run_that_hides_its_children_leaves_none(tmp_path: Path, kind: Isolation) -> None:
    mark = uuid.uuid4().hex
    done = attack(
        sandbox(tmp_path / "agent", kind),
        """
        import os, signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                open("daemon", "w").close()
                time.sleep(60)
            os._exit(0)
        while not os.path.exists("daemon"):
            time.sleep(0.01)
        """,
        20,
        mark,
    )
    assert done.ok
    assert gone(mark)


@kinds
def test_memory_is_limited_for_one_process_and_for_all(tmp_path: Path, kind: Isolation) -> None:
    box = sandbox(tmp_path / "agent", kind)
    one = attack(
        box, "x = bytearray(1_000_000_000)\nfor i in range(0, len(x), 4096): x[i] = 1\nprint('had it')"
    )
    assert "had it" not in one.stdout
    several = attack(
        box,
        """
        import os, time
        for _ in range(6):
            if os.fork() == 0:
                x = bytearray(100_000_000)
                for i in range(0, len(x), 4096): x[i] = 1
                time.sleep(30)
        time.sleep(30)
        """,
        25,
    )
    assert several.killed_because == "memory"
    hidden = attack(
        box,
        """
        import os, time
        for _ in range(15):
            os.write(os.memfd_create("x"), b"x" * 19_000_000)
        time.sleep(30)
        """,
        25,
    )
    assert hidden.killed_because == "memory"
    assert SMALL.memory_bytes < several.peak_memory_bytes < 5 * SMALL.memory_bytes


@kinds
def test_the_disk_is_limited_for_one_file_for_all_and_in_number(tmp_path: Path, kind: Isolation) -> None:
    one = attack(
        sandbox(tmp_path / "1", kind), "f = open('x', 'wb')\nwhile True: f.write(b'x' * 100_000); f.flush()"
    )
    assert one.killed_because == "disk" or one.returncode == 1
    assert (tmp_path / "1" / "x").stat().st_size <= SMALL.disk_bytes
    several = """
        import time
        for k in range(100_000):
            open(f"f{k}", "wb").write(b"x" * %d)
            time.sleep(0.002)
        """
    box = sandbox(tmp_path / "2", kind)
    assert attack(box, several % 1_000_000).killed_because == "disk"
    assert attack(box, "print('again')").killed_because == "disk"
    assert attack(sandbox(tmp_path / "3", kind), several % 1).killed_because == "disk"


@needs_bubblewrap
def test_memory_on_the_small_file_systems_is_limited(tmp_path: Path) -> None:
    done = attack(
        sandbox(tmp_path / "agent", "bubblewrap", Limits()),
        """
        import os
        for folder in ("/tmp", "/dev/shm"):
            written = 0
            try:
                for k in range(300):
                    with open(f"{folder}/{k}", "wb", buffering=0) as f:
                        written += f.write(b"x" * 1_000_000)
            except OSError:
                pass
            print(written)
        """,
    )
    tmp, shared = map(int, done.stdout.split())
    assert tmp <= 64 * MIB
    assert shared <= 16 * MIB


@kinds
def test_processor_time_is_limited_for_one_process_and_for_all(tmp_path: Path, kind: Isolation) -> None:
    limits = Limits(cpu_s=1, processes=20)
    one = attack(sandbox(tmp_path / "1", kind, limits), "while True: pass")
    assert one.killed_because == "cpu"
    assert 0.8 < one.cpu_s < 3  # the kernel's own limit is 2 s, whatever else the machine does
    many = attack(
        sandbox(tmp_path / "2", kind, limits), "import os\nfor _ in range(3): os.fork()\nwhile True: pass"
    )
    assert many.killed_because == "cpu"
    assert many.cpu_s < 12  # eight processes, each at its own limit, would take 16 s


@kinds
def test_a_run_that_takes_too_long_or_is_cancelled_is_ended_with_all_it_started(
    tmp_path: Path, kind: Isolation
) -> None:
    sleepy = (
        "import os, time\nos.fork()\nos.setsid() if os.getpid() > 2 and os.fork() == 0 else 0\ntime.sleep(60)"
    )
    mark = uuid.uuid4().hex
    late = attack(sandbox(tmp_path / "agent", kind), sleepy, 0.7, mark)
    assert late.killed_because == "timeout"
    assert late.wall_s < 50
    assert gone(mark)

    async def cancelled() -> None:
        run = asyncio.create_task(sandbox(tmp_path / "agent", kind).run(("python", "attack.py", mark), 60))
        while not alive(mark):
            await asyncio.sleep(0.02)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run

    asyncio.run(cancelled())
    assert gone(mark)


@kinds
def test_a_run_does_not_outlive_a_runner_that_is_killed(tmp_path: Path, kind: Isolation) -> None:
    mark = uuid.uuid4().hex
    box = sandbox(tmp_path / "agent", kind)
    box.write({"attack.py": b"import os, time\nos.fork()\nif os.fork() == 0: os.setsid()\ntime.sleep(60)"})
    runner = f"""
import asyncio
from pathlib import Path
from simbudget.pilot.sandbox.sandbox import Sandbox
asyncio.run(Sandbox(Path({str(box.directory)!r}), kind={kind!r}).run(("python", "attack.py", {mark!r}), 60))
"""
    with subprocess.Popen([sys.executable, "-c", runner]) as process:
        while len([one for one in alive(mark) if one != process.pid]) < 4:
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    assert gone(mark)


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
    assert "with the network" in isolation_in_words("limits only")
