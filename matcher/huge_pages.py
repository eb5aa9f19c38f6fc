"""Large blocks of memory on pages of 2 MB, where Linux can, so that a scan rarely waits for the translation of an address.

numpy asks for such pages for its own arrays; faiss does not for its codes. Measured on a loaded machine over a million 128-d
vectors in float16: one probe in 25 ms instead of 36. Everywhere else nothing happens.
"""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from typing import Any

PAGE = 1 << 21
_MADV_HUGEPAGE, _MADV_COLLAPSE = 14, 25  # asm-generic/mman-common.h; the second from Linux 6.1 on


def advise(address: int, nbytes: int) -> None:
    """Put the whole pages of a block that is filled already onto large ones. A wish: where it is refused, all stays as it was."""
    madvise = _madvise()
    first, end = -(-address // PAGE) * PAGE, (address + nbytes) // PAGE * PAGE
    if madvise is not None and end > first:
        for advice in (_MADV_HUGEPAGE, _MADV_COLLAPSE):
            madvise(first, end - first, advice)


@cache
def _madvise() -> Any:
    if sys.platform != "linux":
        return None
    found = ctypes.CDLL(None).madvise
    found.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    return found
