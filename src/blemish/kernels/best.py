"""The four kernels under coreset and search, in C where the extension is installed, else in NumPy.

Both give the same bits: bounds only rule out, and what measures has one fixed order.
"""

import importlib

from blemish.kernels.protocol import Kernels
from blemish.kernels.pure import Pure
from blemish.system.stream import available_threads

__all__ = ["best_kernels", "worker_count"]


def best_kernels() -> Kernels:
    """The compiled kernels where they are installed, else those in NumPy."""
    try:
        module = importlib.import_module("blemish.kernels._kernels")
    except ImportError:
        return Pure()
    from blemish.kernels.compiled import Compiled

    return Compiled(module)


def worker_count(kernels: Kernels, threads: int | None) -> int:
    """How many workers to use: `threads`, or one for each core this process may use."""
    if not kernels.threaded:
        return 1
    return available_threads() if threads is None else max(1, threads)
