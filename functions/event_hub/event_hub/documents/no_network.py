"""A filter of system calls that leaves a process, and what it starts, without any network.

The kernel refuses sockets other than those of the file system, by seccomp, which needs no privilege and
cannot be taken back: https://www.kernel.org/doc/html/latest/userspace-api/seccomp_filter.html. Numbers are
those of the kernel's headers: linux/seccomp.h, linux/filter.h, linux/audit.h, asm/unistd.h.
"""

import ctypes
import platform
import struct
import sys
from collections.abc import Callable

__all__ = ["is_supported", "no_network"]

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2
_LOAD_WORD, _JUMP_IF_EQUAL, _JUMP_IF_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _KILL_PROCESS, _ERRNO_ACCES = 0x7FFF0000, 0x80000000, 0x00050000 | 13
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data
_AF_UNIX = 1
_IO_URING_SETUP = 425  # its operations make sockets, and no filter sees them
_X32 = 0x40000000  # of x86-64: the same calls once more, by other numbers

# Of the processors that Lambda has: AUDIT_ARCH and the number of socket().
_PROCESSORS = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}


def is_supported() -> bool:
    """Whether there is a filter for this machine."""
    return sys.platform == "linux" and platform.machine() in _PROCESSORS


def no_network() -> Callable[[], None]:
    """What a child calls before it executes a program: all is made ready here, before the fork.

    Returns:
        Takes the network from the process that calls it; raises `OSError` if the kernel does not do so.

    Raises:
        KeyError: There is no filter for this processor.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    program = _program(*_PROCESSORS[platform.machine()])
    code = ctypes.create_string_buffer(program, len(program))

    def apply() -> None:
        # struct sock_fprog: a count, and an address at the next multiple of eight.
        header = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(code))
        if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(
            _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, header, 0, 0
        ):
            raise OSError(ctypes.get_errno(), "the kernel takes no filter of system calls")

    return apply


def _program(architecture: int, socket: int) -> bytes:
    """The filter, in the instructions of BPF: code, jump if true, jump if false, value."""
    instructions = (
        (_LOAD_WORD, 0, 0, _ARCHITECTURE),
        (_JUMP_IF_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL_PROCESS),
        (_LOAD_WORD, 0, 0, _NUMBER),
        (_JUMP_IF_AT_LEAST, 5, 0, _X32),
        (_JUMP_IF_EQUAL, 4, 0, _IO_URING_SETUP),
        (_JUMP_IF_EQUAL, 0, 2, socket),
        (_LOAD_WORD, 0, 0, _FIRST_ARGUMENT),
        (_JUMP_IF_EQUAL, 0, 1, _AF_UNIX),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _ERRNO_ACCES),
    )
    return b"".join(struct.pack("HBBI", *each) for each in instructions)
