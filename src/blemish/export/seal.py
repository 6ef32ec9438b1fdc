"""Seal a file at its end, so that whoever reads it can tell whether it was changed.

The last bytes of an export are one more entry of ONNX metadata: key `blemish.sha256`, value the SHA-256 of all bytes
before that entry, as 64 hexadecimal digits. An entry is at home anywhere in a protobuf file, so that every runtime
reads the file as it is; and a reader without protobuf needs only the last bytes.
"""

import hashlib

__all__ = ["SEAL", "sealed", "unbroken"]

KEY, DIGITS = b"blemish.sha256", 64
_ENTRY = b"\x0a" + bytes([len(KEY)]) + KEY + b"\x12" + bytes([DIGITS])
SEAL = b"\x72" + bytes([len(_ENTRY) + DIGITS]) + _ENTRY
"""What comes before the 64 digits: field 14 of a model, with its length, the key, and the length of the value."""


def sealed(content: bytes) -> bytes:
    """The file with its seal."""
    return content + SEAL + hashlib.sha256(content).hexdigest().encode()


def unbroken(content: bytes) -> bool | None:
    """Whether the seal is that of the bytes before it; None where there is none."""
    body, seal = content[: -len(SEAL) - DIGITS], content[-len(SEAL) - DIGITS :]
    if not seal.startswith(SEAL):
        return None
    return hashlib.sha256(body).hexdigest().encode() == seal[len(SEAL) :]
