"""The sandbox, attacked by programs that try to use too much: processes, memory, disk, time."""

import asyncio
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from simbudget.pilot.sandbox.isolation import Isolation
from simbudget.pilot.sandbox.limits import MIB, Limits
from tests.pilot.attacks import SMALL, alive, attack, gone, kinds, needs_bubblewrap, sandbox


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
        8,
        mark,
    )
    assert not (tmp_path / "agent" / "escaped").exists()
    assert done.killed_because in {"timeout", "processes", "cpu", "memory"}  # the kernel's, of processes
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
    hidden = attack(box, "import os\nos.memfd_create('x')")
    assert "PermissionError" in hidden.stderr
    assert 0.9 * SMALL.memory_bytes < several.peak_memory_bytes < 1.5 * SMALL.memory_bytes


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
