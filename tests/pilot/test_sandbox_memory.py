"""Tricks to hold more memory than a sandbox allows, measured by the kernel where it counts for a control group.

Each runs twice: limited by a control group, and, as where there can be none, by what the sandbox itself adds up. In
the second case a group without a limit measures what was truly held.
"""

import asyncio
import os
import textwrap
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from simbudget.pilot.sandbox import cgroups, sandbox, usage
from simbudget.pilot.sandbox.limits import MIB, Completed, Killed, Limits
from simbudget.pilot.sandbox.sandbox import Sandbox, remove_tree
from simbudget.pilot.sandbox.system_calls import filter_for
from simbudget.pilot.sandbox.usage import Usage
from tests.pilot.attacks import SMALL, attack, needs_bubblewrap
from tests.pilot.attacks import sandbox as small_sandbox

LIMITS = Limits(memory_bytes=400 * MIB, cpu_s=60, processes=40, disk_bytes=64 * MIB)
needs_groups = pytest.mark.skipif(
    cgroups._place() is None,
    reason="no control group for memory can be made here, so nothing measures what is held",
)

BEGINNING = """
import ctypes, mmap, os, socket, threading, time
libc = ctypes.CDLL(None, use_errno=True)
MIB = 1024 * 1024
def fill(memory, size):
    for at in range(0, size, 4096):
        memory[at] = 1
def quietly(function):
    try:
        function()
    except (OSError, ValueError, AttributeError, MemoryError):
        pass
def children(number, function):
    for _ in range(number):
        if os.fork() == 0:
            quietly(function)
            time.sleep(60)
            os._exit(0)
def deadline(seconds):
    until = time.time() + seconds
    return lambda: time.time() > until
"""

TRICKS = {
    "memory of one process": """
        kept = []
        def grow():
            while True:
                kept.append(bytearray(20 * MIB)); fill(kept[-1], 20 * MIB)
        quietly(grow)
        """,
    "memory of many processes": """
        def hold():
            kept = bytearray(100 * MIB); fill(kept, 100 * MIB); time.sleep(60)
        children(8, hold)
        """,
    "a file system in a namespace of its own": """
        def hold():
            assert libc.unshare(0x10020000) == 0
            os.mkdir("m")
            assert libc.mount(b"t", b"m", b"tmpfs", 0, b"size=2G") == 0
            with open("m/x", "wb") as file:
                for _ in range(1000): file.write(b"x" * MIB)
        try: hold()
        except AssertionError: pass
        """,
    "shared memory of System V": """
        for _ in range(20):
            key = libc.shmget(0, 50 * MIB, 0o1600)
            if key != -1:
                libc.shmat.restype = ctypes.c_void_p
                at = libc.shmat(key, None, 0)
                ctypes.memset(at, 1, 50 * MIB); libc.shmdt(ctypes.c_void_p(at))
        """,
    "anonymous files, mapped and closed": """
        kept = []
        def hold():
            for _ in range(20):
                file = os.memfd_create("x"); os.ftruncate(file, 50 * MIB)
                os.write(file, b"x" * 50 * MIB); kept.append(mmap.mmap(file, 50 * MIB)); os.close(file)
        quietly(hold)
        """,
    "a shared mapping that only a child still has, and has not touched": """
        def hold():
            for _ in range(15):
                shared = mmap.mmap(-1, 50 * MIB)
                children(1, lambda: time.sleep(60))
                fill(shared, 50 * MIB); shared.close()
        quietly(hold)
        """,
    "the device of zeros, mapped shared": """
        def hold():
            for _ in range(15):
                shared = mmap.mmap(os.open("/dev/zero", os.O_RDWR), 50 * MIB)
                children(1, lambda: time.sleep(60))
                fill(shared, 50 * MIB); shared.close()
        quietly(hold)
        """,
    "full pipes": """
        import fcntl
        def hold():
            for _ in range(120):
                reads, writes = os.pipe(); os.set_blocking(writes, False)
                quietly(lambda: fcntl.fcntl(writes, 1031, MIB))
                def full():
                    while True: os.write(writes, b"x" * 65536)
                quietly(full)
            time.sleep(60)
        children(30, hold)
        """,
    "full sockets": """
        def hold():
            for _ in range(110):
                pair = socket.socketpair()
                for one in pair:
                    one.setblocking(False)
                    def full():
                        while True: one.send(b"x" * 65536)
                    quietly(full)
                kept.append(pair)
            time.sleep(60)
        kept = []
        children(30, hold)
        """,
    "sockets sent through sockets, and closed": """
        import array
        def hold():
            kept = []
            for _ in range(200):
                outer, inner = socket.socketpair(), socket.socketpair()
                inner[0].setblocking(False)
                quietly(lambda: inner[0].send(b"x" * 100_000))
                sent = array.array("i", [one.fileno() for one in inner])
                outer[0].sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, sent)])
                kept.append(outer)
                for one in inner: one.close()
            time.sleep(60)
        children(20, hold)
        """,
    "files in memory, deleted while open": """
        kept = []
        for folder in ("/tmp", "/dev/shm"):
            def hold():
                for number in range(200):
                    file = open(f"{folder}/{number}", "wb"); os.unlink(f"{folder}/{number}")
                    file.write(b"x" * MIB); file.flush(); kept.append(file)
            quietly(hold)
        grown = bytearray(380 * MIB); fill(grown, 380 * MIB)
        """,
    "empty files in memory": """
        late = deadline(20)
        def hold():
            number = 0
            while not late():
                os.close(os.open(f"/tmp/{os.getpid()}{number:0200}", os.O_CREAT | os.O_WRONLY)); number += 1
        children(3, hold)
        """,
    "pages held by pipes after they were unmapped": """
        class Part(ctypes.Structure):
            _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]
        def hold():
            for _ in range(100):
                reads, writes = os.pipe()
                for _ in range(16):
                    huge = mmap.mmap(-1, 4 * MIB, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
                    huge.madvise(14); fill(huge, 4 * MIB)
                    view = (ctypes.c_char * 1).from_buffer(huge, 2 * MIB)
                    at = Part(ctypes.addressof(view), 1)
                    done = libc.vmsplice(writes, ctypes.byref(at), 1, 0)
                    del view
                    huge.close()
                    if done != 1: return
        quietly(hold)
        """,
    "tables of memory that was only looked at": """
        def hold():
            kept = mmap.mmap(-1, 1200 * MIB, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
            quietly(lambda: kept.madvise(15))
            for at in range(0, 1200 * MIB, 2 * MIB): kept[at]
            time.sleep(60)
        children(35, hold)
        """,
    "lists of what to wait for": """
        import select
        def hold():
            files = [os.pipe() for _ in range(60)]
            lists = [select.epoll() for _ in range(120)]
            for one in lists:
                for pair in files:
                    for file in pair: one.register(file)
            time.sleep(60)
        children(30, hold)
        """,
    "connections that nobody accepts": """
        def hold():
            while True:
                listening = socket.socket(socket.AF_UNIX)
                name = f"s{os.getpid()}-{time.time()}"
                listening.bind(name); listening.listen(4096); kept.append(listening)
                for _ in range(4000):
                    one = socket.socket(socket.AF_UNIX); one.setblocking(False); one.connect(name)
                    try:
                        while True: one.send(b"x" * 4096)
                    except BlockingIOError: pass
                    one.close()
        kept = []
        quietly(hold)
        """,
    "datagrams of senders that are gone": """
        kept = []
        def hold():
            for number in range(200):
                name = f"d{os.getpid()}-{number}"
                here = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); here.bind(name); kept.append(here)
                for _ in range(600):
                    one = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); one.setblocking(False)
                    try: one.sendto(b"x" * 200_000, name)
                    except BlockingIOError: break
                    finally: one.close()
        children(6, hold); time.sleep(5)
        """,
    "memory in many pieces": """
        def hold():
            libc.mmap.restype = ctypes.c_void_p
            libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
            libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
            at = libc.mmap(None, 65000 * 4096, 1, 0x22, -1, 0)
            for number in range(0, 65000, 2):
                libc.mprotect(at + number * 4096, 4096, 0)
            time.sleep(60)
        children(36, hold); time.sleep(20)
        """,
    "huge pages, at the same moment": """
        begin = time.time() + 1
        def hold():
            kept = mmap.mmap(-1, 300 * MIB, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS); kept.madvise(14)
            while time.time() < begin: pass
            for at in range(0, 300 * MIB, 2 * MIB): kept[at] = 1
            time.sleep(60)
        children(4, hold); time.sleep(4)
        """,
    "sockets of a program that hides": """
        kept = []
        def hold():
            libc.prctl(4, 0, 0, 0, 0)
            for _ in range(110):
                pair = socket.socketpair(); kept.append(pair)
                for one in pair:
                    one.setblocking(False)
                    try:
                        while True: one.send(b"x" * 4096)
                    except BlockingIOError: pass
        children(12, hold)
        """,
}  # fmt: skip
"""Each holds what it can, up to several times the limit, and then sleeps."""


def run(box: Sandbox, trick: str) -> Completed:
    program = BEGINNING + textwrap.dedent(trick) + "\ntime.sleep(3)\nprint('done')\n"
    box.write({"trick.py": program.encode()})
    return asyncio.run(box.run(("python", "-I", "-S", "trick.py"), 40))


@dataclass
class Looks:
    """When the sandbox looked at the memory of a run, and what it saw."""

    began_s: list[float] = field(default_factory=list)
    seen_bytes: list[int] = field(default_factory=list)
    ended_s: float = 0.0
    """When the run had ended."""

    def most_bytes(self) -> float:
        """Return the most that a run can have held that is seen at each look, and fills memory as fast as it can.

        A sandbox that adds up relies on looking in time. On a machine that is busy with other work it gets the
        processor late, and a run holds more by what it fills meanwhile.
        """
        until_s = [*self.began_s[1:], self.ended_s]
        spans = zip(self.began_s, self.seen_bytes, until_s, strict=True)
        return max(
            seen + (to_s - from_s) * sandbox._FILLED_PER_CORE_AND_S * (os.cpu_count() or 1)
            for from_s, seen, to_s in spans
        )


@needs_bubblewrap
@needs_groups
@pytest.mark.parametrize("trick", TRICKS)
def test_no_trick_holds_more_than_a_fifth_beyond_the_limit_where_the_sandbox_adds_up(
    trick: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, held, looks = held_by(trick, tmp_path / "agent", monkeypatch)
    assert held <= max(1.2 * LIMITS.memory_bytes, looks.most_bytes()), (
        f"{held / MIB:.0f} MiB, reported {done.peak_memory_bytes / MIB:.0f}"
    )
    assert done.killed_because in (None, "memory", "timeout", "processes")


def held_by(trick: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Completed, int, Looks]:
    """Return how a trick ended whose memory the sandbox adds up, the most that it held by the kernel, and the looks."""
    place = cgroups._place()
    assert place is not None
    measuring = cgroups._made(*place, 1 << 40)
    assert measuring is not None
    plain, look, looks = sandbox.wrapped, sandbox.passed_limit, Looks()

    def measured(command: Sequence[str], *more: Any) -> tuple[str, ...]:
        return measuring.entering(plain(command, *more))

    def noted(pid: int, directory: Path, limits: Limits, seen: Usage, counted: bool) -> Killed | None:
        looks.began_s.append(time.monotonic())
        because = look(pid, directory, limits, seen, counted)
        looks.seen_bytes.append(seen.memory_bytes)
        return because

    with monkeypatch.context() as patch:
        patch.setattr(sandbox, "wrapped", measured)
        patch.setattr(sandbox, "passed_limit", noted)
        done = run(Sandbox(folder, LIMITS, "bubblewrap", counts_in_kernel=False), TRICKS[trick])
    looks.ended_s = time.monotonic()
    held = measuring.peak_bytes
    measuring.remove()
    return done, held, looks


@needs_bubblewrap
@needs_groups
def test_a_sum_that_sees_half_of_the_memory_lets_a_trick_hold_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = usage._status_bytes
    monkeypatch.setattr(usage, "_status_bytes", lambda pid: whole(pid) // 2)
    _, held, looks = held_by("memory of many processes", tmp_path / "agent", monkeypatch)
    assert held > 1.2 * LIMITS.memory_bytes
    assert held > 1.5 * max(looks.seen_bytes), "what is seen is not what is held"


@needs_bubblewrap
@needs_groups
def test_no_trick_holds_more_than_the_limit_where_the_kernel_counts(tmp_path: Path) -> None:
    box = Sandbox(tmp_path / "agent", LIMITS, "bubblewrap")
    for trick in ("memory of many processes", "full sockets", "empty files in memory"):
        done = run(box, TRICKS[trick])
        assert done.peak_memory_bytes <= 1.01 * LIMITS.memory_bytes
    assert run(box, TRICKS["memory of many processes"]).killed_because == "memory"


@needs_bubblewrap
@needs_groups
def test_without_the_filter_and_the_sums_a_trick_holds_what_it_likes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = cgroups._place()
    assert place is not None
    measuring = cgroups._made(*place, 1 << 40)
    assert measuring is not None
    plain = sandbox.wrapped
    monkeypatch.setattr(sandbox, "wrapped", lambda *all_of_it: measuring.entering(plain(*all_of_it)))
    monkeypatch.setattr("simbudget.pilot.sandbox.isolation.filter_for", lambda: None)
    run(
        Sandbox(tmp_path / "agent", LIMITS, "bubblewrap", counts_in_kernel=False),
        TRICKS["shared memory of System V"],
    )
    held = measuring.peak_bytes
    measuring.remove()
    assert held > 1.2 * LIMITS.memory_bytes


@needs_bubblewrap
def test_calls_by_which_memory_is_held_unseen_are_refused_and_what_a_script_needs_is_not(
    tmp_path: Path,
) -> None:
    done = run(
        Sandbox(tmp_path / "agent", LIMITS, "bubblewrap"),
        """
        import mmap, multiprocessing, shutil
        def refused(function):
            try: function()
            except OSError: return
            print(function, "was not refused")
        stream = socket.socket(socket.AF_UNIX); stream.bind("s")
        refused(lambda: stream.listen())
        refused(lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        refused(lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK))
        refused(lambda: socket.socket(socket.AF_INET))
        refused(lambda: socket.socket(40, socket.SOCK_STREAM))  # of virtual machines
        refused(lambda: mmap.mmap(-1, 2 * MIB, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40000))
        refused(os.openpty)
        open("a", "wb").write(b"x" * MIB)
        refused(lambda: os.sendfile(1, os.open("a", os.O_RDONLY), 0, 1))
        for name, *arguments in (("prctl", 4, 0, 0, 0, 0), ("syscall", 438, 0, 0, 0)):
            if getattr(libc, name)(*arguments) != -1: print(name, "was not refused")
        shutil.copyfile("a", "b")
        assert os.path.getsize("b") == MIB
        a, b = socket.socketpair(); a.send(b"x"); assert b.recv(1) == b"x"
        with multiprocessing.get_context("fork").Pool(2) as pool:
            assert pool.map(abs, [-1, 2]) == [1, 2]
        """,
    )
    assert (done.stdout, done.stderr) == ("done\n", "")


def test_a_process_that_hides_what_it_holds_counts_as_holding_what_it_can(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hides = psutil.Process()
    processes = [psutil.Process(os.getppid()), hides]
    plainly = usage._held_bytes(processes)
    listed = os.listdir

    def refusing(path: str) -> list[str]:
        if path == f"/proc/{hides.pid}/fd":
            raise PermissionError
        return listed(path)

    monkeypatch.setattr(os, "listdir", refusing)
    assert usage._held_bytes(processes) > plainly + 90 * MIB
    assert usage._held_bytes(processes[1:]) < 90 * MIB, "the launcher hides by right"


def test_records_of_memory_that_are_not_counted_stay_within_the_tolerance() -> None:
    for number in (1, 5, 20, 64, 1000):
        processes = [psutil.Process()] * (number + usage._OWN_PROCESSES)
        uncounted = number * usage._RECORDS_BYTES - usage._records_bytes(processes, LIMITS)
        assert uncounted <= 0.15 * LIMITS.memory_bytes


@needs_bubblewrap
def test_folders_nested_without_end_are_a_limit_and_can_be_removed(tmp_path: Path) -> None:
    box = small_sandbox(tmp_path / "agent", "bubblewrap", Limits(files=4000))
    done = attack(
        box,
        """
        import os
        for _ in range(2500):
            os.mkdir("deep"); os.chdir("deep")
        os.chmod(".", 0)
        print("done")
        """,
    )
    assert "done" in done.stdout or done.killed_because == "disk"
    assert attack(box, "print('again')").killed_because == "disk"
    box.write({"deep": b"a file where the folders were"})
    assert attack(box, "print('again')").stdout == "again\n"
    remove_tree(box.directory)
    assert not box.directory.exists()


def test_removing_follows_no_link_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_text("stays")
    folder = tmp_path / "agent" / "a" / "b"
    folder.mkdir(parents=True)
    (folder / "link").symlink_to(tmp_path / "kept")
    (tmp_path / "agent" / "link").symlink_to(tmp_path / "kept")
    (tmp_path / "agent" / "removed-0").mkdir()
    remove_tree(tmp_path / "agent")
    assert (tmp_path / "kept" / "file").read_text() == "stays"
    assert not (tmp_path / "agent").exists()


def test_a_filter_is_known_for_the_usual_processors_only() -> None:
    assert filter_for("x86_64") != filter_for("aarch64") is not None
    assert filter_for("riscv64") is None
    assert SMALL.depth < 100
