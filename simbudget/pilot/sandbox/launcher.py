"""The last program before an agent's: sets resource limits, changes to the sandbox's user, and runs the command.

It is run as a script, by path, inside the sandbox, and therefore imports only the standard library:

    python -I -S launcher.py '{"limits": {"RLIMIT_CPU": 60, …}, "user": 1900000000, "guard": false,
        "tell": 5, "directory": "/sandbox", "writes": null, "filter": "IAAAAAQAAAA…"}' COMMAND…

It stays as the ancestor of everything the command starts. With `guard`, it kills all of that when the command or its
own parent ends, for machines without process namespaces. Finally it writes the processor time used, in seconds, to
the file descriptor `tell`, since bubblewrap does not report it.
"""

import base64
import ctypes
import json
import os
import resource
import signal
import struct
import sys
from typing import Any

# Constants of linux/prctl.h and linux/seccomp.h, which Python does not export.
_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_SECCOMP = 22
_SECCOMP_MODE_FILTER = 2
_INSTRUCTION_BYTES = 8  # of `struct sock_filter`
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_COULD_NOT_START = 127  # as shells report it


def _prctl(option: int, value: int) -> None:
    """Set one option of the current process."""
    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def _confine(limits: dict[str, int], user: int | None) -> None:
    """Set the limits, then change the user; a limit that is already lower is kept."""
    for name, value in limits.items():
        kind = getattr(resource, name)
        hard = resource.getrlimit(kind)[1]
        allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (allowed, allowed))
    if user is not None:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


# Of linux/landlock.h; the numbers of the calls are the same on all architectures.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION = 1
_BENEATH = 1
_WRITE_FILE, _TRUNCATE = 1 << 1, 1 << 14
_SCOPES = (0, 0b11)
"""No rules for networks; no abstract sockets and no signals to processes outside."""
_SCOPES_SINCE = 6
_CHANGES = (_WRITE_FILE | sum(1 << bit for bit in range(4, 13)), 1 << 13, _TRUNCATE)
"""Rights to write, make and remove, that came with the first three versions: to move between folders, to shorten."""


def _keep_to(writes: list[str] | None) -> None:
    """Allow changes of files only below some paths, and signals only to descendants.

    On a kernel without Landlock this has no effect.
    """
    if writes is None:
        return
    call = ctypes.CDLL(None, use_errno=True).syscall
    version = call(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION)
    if version < 1:
        return
    handled = sum(_CHANGES[:version])
    scopes = _SCOPES if version >= _SCOPES_SINCE else ()
    about = struct.pack(f"={1 + len(scopes)}Q", handled, *scopes)
    rules = call(_CREATE_RULESET, about, ctypes.c_size_t(len(about)), 0)
    for path in writes:
        try:
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue
        rights = handled if os.path.isdir(path) else handled & (_WRITE_FILE | _TRUNCATE)  # noqa: PTH112
        call(_ADD_RULE, rules, _BENEATH, struct.pack("=Qi", rights, place), 0)
        os.close(place)
    call(_RESTRICT_SELF, rules, 0)
    os.close(rules)


class _Program(ctypes.Structure):
    """The kernel's `struct sock_fprog`."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def _filter(encoded: str | None) -> None:
    """Install a filter of system calls; on a kernel without seccomp this has no effect."""
    if encoded is None:
        return
    code = base64.b64decode(encoded)
    program = _Program(len(code) // _INSTRUCTION_BYTES, code)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0)


def _become(command: list[str], directory: str) -> None:
    """Replace this process by the command, in its directory; does not return."""
    try:
        os.chdir(directory)
        os.execvp(command[0], command)
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr, flush=True)
        os._exit(_COULD_NOT_START)


def _descendants() -> set[int]:
    """Return all processes descended from this one."""
    parents = {}
    for name in os.listdir("/proc"):  # noqa: PTH208  pathlib is slow to import
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                    parents[int(name)] = int(file.read().rpartition(b")")[2].split()[1])
            except OSError:
                continue
    found: set[int] = {os.getpid()}
    while True:
        more = {child for child, parent in parents.items() if parent in found} - found
        if not more:
            return found - {os.getpid()}
        found |= more


def _end_all() -> None:
    """Kill all descendants until none are left."""
    for _ in range(1000):  # new processes may appear while others are killed, but not for ever
        left = _descendants()
        if not left:
            return
        for one in left:
            try:
                os.kill(one, signal.SIGKILL)
            except OSError:
                continue
        _reap()


def _reap() -> None:
    """Collect children that have ended."""
    try:
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
    except ChildProcessError:
        pass


def _guard() -> bool:
    """Arrange to kill everything when the parent ends; return whether the parent is still running."""
    parent = os.getppid()

    def stop(_: int, __: object) -> None:
        _end_all()
        os._exit(128 + signal.SIGTERM)

    signal.signal(signal.SIGTERM, stop)
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    return os.getppid() == parent  # it may have ended before the signal was set


def _run(order: dict[str, Any], command: list[str]) -> int:
    """Run the command as a child, collecting all its descendants; return its exit status, or minus its signal."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    _prctl(_PR_SET_DUMPABLE, 0)  # the command may have the same user, and must not trace this process
    child = os.fork()
    if child == 0:
        _prctl(_PR_SET_DUMPABLE, 1)  # the sandbox has to see what the command holds
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _confine(order["limits"], order["user"])
        _keep_to(order["writes"])
        _filter(order["filter"])
        _become(command, order["directory"])
    while True:
        ended, status = os.waitpid(-1, 0)
        if ended == child:
            return os.waitstatus_to_exitcode(status)


def _tell(descriptor: int) -> None:
    """Write the processor time of all processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    os.write(descriptor, f"{used.ru_utime + used.ru_stime:.6f}".encode())


def main() -> None:
    """Run the command as the arguments say."""
    order, command = json.loads(sys.argv[1]), sys.argv[2:]
    os.set_inheritable(order["tell"], False)
    if order["guard"] and not _guard():
        sys.exit(_COULD_NOT_START)
    status = _run(order, command)
    if order["guard"]:
        _end_all()
    _tell(order["tell"])
    if status < 0:  # the command was killed by a signal: end in the same way
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(-status, signal.SIG_DFL) if -status not in (signal.SIGKILL, signal.SIGSTOP) else None
        os.kill(os.getpid(), -status)
    sys.exit(status)


if __name__ == "__main__":
    main()
