"""ONNX Runtime, imported once for all, with its telemetry off.

From 1.31 on, importing it starts a sender: it asks for a host of its maker and keeps a device id in the user's cache.
It reads this variable once, on import; switching its events off later does not stop it. So who imports onnxruntime
before blemish must set the variable too.
"""

import os

__all__ = ["onnxruntime"]

SWITCH = "ORT_DISABLE_TELEMETRY"

_before = os.environ.get(SWITCH)
os.environ[SWITCH] = "1"
try:
    import onnxruntime
finally:  # the environment belongs to whoever imports us
    if _before is None:
        del os.environ[SWITCH]
    else:
        os.environ[SWITCH] = _before
