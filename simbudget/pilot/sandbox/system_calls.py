"""A seccomp filter of the system calls that an agent's program may not make, in the kernel's format.

It blocks ways to obtain memory that no limit counts (file systems in a new namespace, System V shared memory,
anonymous files and shared mappings that outlive their process, pages held by pipes, data in sockets that no process
has open), and kernel interfaces that a training script has no use for. A program that tries gets an error and can
continue.

The filter is classic BPF, assembled here because a library would be a dependency for some fifty instructions.
`man 2 seccomp` describes the instructions and the data they operate on.
"""

import base64
import errno
import platform
import struct
from typing import Final

_CALLS: Final[dict[str, tuple[int | None, int | None]]] = {
    # Namespaces and file systems.
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "unshare": (272, 97), "setns": (308, 268),
    "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431),
    "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442),
    # Memory that outlives the process that allocated it, or that is not counted for any process.
    "shmget": (29, 194), "shmat": (30, 196), "msgget": (68, 186), "semget": (64, 190), "mq_open": (240, 180),
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "vmsplice": (278, 75), "splice": (275, 76),
    "tee": (276, 77), "io_setup": (206, 0), "inotify_init": (253, None), "inotify_init1": (294, 26),
    "fanotify_init": (300, 262), "sendmsg": (46, 211), "sendmmsg": (307, 269), "listen": (50, 201),
    "sendfile": (40, 71),
    # Keys, virtual machines of the kernel, and other processes.
    "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218), "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426), "io_uring_register": (427, 427), "bpf": (321, 280), "userfaultfd": (323, 282),
    "perf_event_open": (298, 241), "ptrace": (101, 117), "process_vm_writev": (311, 271),
    "process_vm_readv": (310, 270), "pidfd_getfd": (438, 438),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265), "kexec_load": (246, 104),
    "kexec_file_load": (320, 294), "init_module": (175, 105), "finit_module": (313, 273), "swapon": (167, 224),
    "quotactl": (179, 60),
}  # fmt: skip
"""Blocked calls with their numbers on x86-64 and on 64-bit Arm; None if the architecture has no such call."""

_CLONE: Final = (56, 220)
_CLONE3: Final = (435, 435)
_SOCKETS: Final = ((41, 198), (53, 199))  # socket and socketpair
_PRCTL: Final = (157, 167)
_FCNTL: Final = (72, 25)
_MMAP: Final = (9, 222)

_ARCHITECTURES: Final = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
"""Column of the numbers above, and the kernel's AUDIT_ARCH value of the architecture."""

_NEW_NAMESPACES: Final = 0x7E020000
"""CLONE_NEWNS, _NEWCGROUP, _NEWUTS, _NEWIPC, _NEWUSER, _NEWPID and _NEWNET."""
_AF_UNIX: Final = 1
_SOCKET_TYPE: Final = 0xF
_SOCK_DGRAM: Final = 2
"""A datagram stays with its receiver when its sender has gone, and a receiver holds those of many."""
_PR_SET_DUMPABLE: Final = 4
"""Hides a process's files and sockets from a sandbox that an ordinary user runs."""
_F_SETPIPE_SZ: Final = 1031
_SHARED_AND_ANONYMOUS: Final = 0x21  # MAP_SHARED | MAP_ANONYMOUS
_MAP_HUGETLB: Final = 0x40000
"""Pages of a pool that the machine reserves, which count for no control group."""
_X32: Final = 0x40000000
"""First number of the x32 ABI, a second set of system calls on x86-64."""

# Operation codes, offsets in `struct seccomp_data`, and return values, from linux/bpf_common.h and linux/seccomp.h.
_LOAD: Final = 0x20
_AND: Final = 0x54
_IF_EQUAL: Final = 0x15
_IF_AT_LEAST: Final = 0x35
_IF_ANY_BIT: Final = 0x45
_RETURN: Final = 0x06
_NUMBER: Final = 0
_ARCHITECTURE: Final = 4
_ARGUMENTS: Final = 16
_ALLOW: Final = 0x7FFF0000
_FAIL: Final = 0x00050000
_KILL: Final = 0x80000000


def filter_for(machine: str | None = None) -> str | None:
    """Return the filter for an architecture (by default this machine's) in base64, or None if there is none."""
    found = _ARCHITECTURES.get(machine or platform.machine())
    if found is None:
        return None
    column, architecture = found
    program = [
        *_load(_ARCHITECTURE),
        *_when(_IF_EQUAL, architecture, skip_if_true=1),
        *_return(_KILL),
        *_load(_NUMBER),
    ]
    if column == 0:
        program += _guarded(_IF_AT_LEAST, _X32, _return(_FAIL | errno.ENOSYS))
    for numbers in _CALLS.values():
        number = numbers[column]
        if number is not None:
            program += _guarded(_IF_EQUAL, number, _return(_FAIL | errno.EPERM))
    # glibc tries clone3 first, whose flags are in memory that no filter can read, and falls back to clone.
    program += _guarded(_IF_EQUAL, _CLONE3[column], _return(_FAIL | errno.ENOSYS))
    refuse = _return(_FAIL | errno.EPERM)
    allow = _return(_ALLOW)
    program += _guarded(
        _IF_EQUAL,
        _CLONE[column],
        [*_argument(0), *_guarded(_IF_ANY_BIT, _NEW_NAMESPACES, refuse), *allow],
    )
    of_no_family = _return(_FAIL | errno.EAFNOSUPPORT)
    for numbers in _SOCKETS:
        program += _guarded(
            _IF_EQUAL,
            numbers[column],
            [
                *_argument(0),
                *_when(_IF_EQUAL, _AF_UNIX, skip_if_true=len(of_no_family)),
                *of_no_family,
                *_argument(1),
                struct.pack("<HBBI", _AND, 0, 0, _SOCKET_TYPE),
                *_guarded(_IF_EQUAL, _SOCK_DGRAM, refuse),
                *allow,
            ],
        )
    program += _guarded(
        _IF_EQUAL, _PRCTL[column], [*_argument(0), *_guarded(_IF_EQUAL, _PR_SET_DUMPABLE, refuse), *allow]
    )
    program += _guarded(
        _IF_EQUAL, _FCNTL[column], [*_argument(1), *_guarded(_IF_EQUAL, _F_SETPIPE_SZ, refuse), *allow]
    )
    program += _guarded(
        _IF_EQUAL,
        _MMAP[column],
        [
            *_argument(3),
            *_guarded(_IF_ANY_BIT, _MAP_HUGETLB, refuse),
            struct.pack("<HBBI", _AND, 0, 0, _SHARED_AND_ANONYMOUS),
            *_guarded(_IF_EQUAL, _SHARED_AND_ANONYMOUS, refuse),
            *allow,
        ],
    )
    program += allow
    return base64.b64encode(b"".join(program)).decode()


def _load(at: int) -> list[bytes]:
    return [struct.pack("<HBBI", _LOAD, 0, 0, at)]


def _argument(which: int) -> list[bytes]:
    """Load the lower half of an argument of the call; both architectures are little-endian."""
    return _load(_ARGUMENTS + 8 * which)


def _when(test: int, value: int, skip_if_true: int = 0, skip_if_false: int = 0) -> list[bytes]:
    return [struct.pack("<HBBI", test, skip_if_true, skip_if_false, value)]


def _guarded(test: int, value: int, then: list[bytes]) -> list[bytes]:
    """Execute the following instructions only if the test holds."""
    return [*_when(test, value, skip_if_false=len(then)), *then]


def _return(verdict: int) -> list[bytes]:
    return [struct.pack("<HBBI", _RETURN, 0, 0, verdict)]
