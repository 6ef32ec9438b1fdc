"""Who vouches for a model: an Ed25519 signature over the digest of its manifest, which covers all the rest.

Keys are PEM files, as `openssl genpkey -algorithm ed25519` makes them too. The package cryptography (extra sign) does
the arithmetic; models without a signature need none of it.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from blemish.errors import ModelFileError, OptionError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = ["SIGNATURE", "Signature", "Trusted", "check_signature", "new_key", "signed_by", "trusted_keys"]

SIGNATURE = "signature"
"""The entry of the header's metadata."""
Trusted: TypeAlias = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
"""Files of public keys: a model must be signed by one of them."""
INSTALL = "pip install 'blemish[sign]'"

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Signature(BaseModel):
    """That somebody vouches for one very model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: str = Field(min_length=1, max_length=200)
    """Who, in their own words; signed as well."""
    key: Digest
    """Their public key, 32 bytes."""
    digest: Digest
    """What was signed: the sha256 of the manifest."""
    signature: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{128}$")]

    @property
    def fingerprint(self) -> str:
        """The first digits of the key, as people compare it."""
        return self.key[:16]

    @property
    def checked(self) -> bool:
        """Whether this installation can check signatures, as it then did on reading."""
        return _can_check()


def new_key(path: Path) -> Path:
    """Write a new private key (PEM, readable by its owner alone), and its public one beside it, whose path it returns.

    Raises OptionError where cryptography is missing, or where one of the files is there or cannot be written.
    """
    _need_cryptography()
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    public = path.with_name(path.name + ".pub")
    for file, content, mode in (
        (path, private, 0o600),
        (public, key.public_key().public_bytes(serialization.Encoding.PEM, form), 0o644),
    ):
        try:
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as stream:
                stream.write(content)
        except OSError as error:
            raise OptionError(f"The key {file} cannot be written ({error.strerror}); choose another name.") from None
    return public


def signed_by(key: Path, by: str, digest: str) -> Signature:
    """The signature of a model's digest by the private key of a file, in the name given. Raises OptionError."""
    private = _private_key(key)
    try:
        unsigned = Signature(
            by=by, key=private.public_key().public_bytes_raw().hex(), digest=digest, signature="0" * 128
        )
    except ValidationError:
        raise OptionError(f"Option by={by!r} cannot be used: give a name of 1 to 200 characters.") from None
    return unsigned.model_copy(update={"signature": private.sign(_message(unsigned)).hex()})


def check_signature(metadata: Mapping[str, str], digest: str, trusted: Trusted | None, name: str) -> Signature | None:
    """The signature of a model file, if it has one; `digest` is that of its manifest, `name` is for messages.

    Raises ModelFileError where it is not of this model, or, with `trusted`, where no such key has signed it.
    """
    keys = None if trusted is None else trusted_keys(trusted)
    signature = _read(metadata, name)
    if signature is None:
        if keys is not None:
            raise ModelFileError(
                f"{name} is not signed, and only signed models are trusted here; sign it: blemish sign."
            )
        return None
    if signature.digest != digest or (_can_check() and not _is_valid(signature)):
        raise ModelFileError(
            f"{name} is damaged, or was changed: the signature of {signature.by} is not of this model."
        )
    if keys is not None and signature.key not in keys:
        raise ModelFileError(
            f"{name} is signed by {signature.by} with the key {signature.fingerprint}..., which is none of those "
            f"trusted here; ask them for the public key, or use a model that is signed by a trusted one."
        )
    return signature


def trusted_keys(trusted: Trusted) -> set[str]:
    """The public keys in these files. Raises OptionError for a file that holds none, and without cryptography."""
    paths = [trusted] if isinstance(trusted, str | os.PathLike) else trusted
    return {_public_key(Path(path)) for path in paths}


def _read(metadata: Mapping[str, str], name: str) -> Signature | None:
    if SIGNATURE not in metadata:
        return None
    try:
        return Signature.model_validate_json(metadata[SIGNATURE])
    except ValidationError as error:
        field = ".".join(map(str, error.errors()[0]["loc"]))
        raise ModelFileError(f"{name} is damaged: field {field} of its signature cannot be read.") from None


def _message(signature: Signature) -> bytes:
    """What is signed."""
    return f"blemish model\n{signature.digest}\n{signature.by}".encode()


def _is_valid(signature: Signature) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(signature.key))
        key.verify(bytes.fromhex(signature.signature), _message(signature))
    except (InvalidSignature, ValueError):
        return False
    return True


def _private_key(path: Path) -> "Ed25519PrivateKey":
    _need_cryptography()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = _key(path, lambda content: load_pem_private_key(content, None))
    if not isinstance(key, Ed25519PrivateKey):
        raise OptionError(f"The key {path} is no private Ed25519 key; blemish sign --new-key makes one.")
    return key


def _public_key(path: Path) -> str:
    _need_cryptography()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    key = _key(path, load_pem_public_key)
    if not isinstance(key, Ed25519PublicKey):
        raise OptionError(f"The key {path} is no public Ed25519 key; name the .pub file beside the private one.")
    return key.public_bytes_raw().hex()


def _key(path: Path, load: Any) -> Any:
    """The key in a PEM file; None where it holds none."""
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        return load(path.read_bytes())
    except OSError as error:
        raise OptionError(f"The key {path} cannot be read ({error.strerror}).") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None


def _can_check() -> bool:
    try:
        import cryptography  # noqa: F401
    except ImportError:
        return False
    return True


def _need_cryptography() -> None:
    if not _can_check():
        raise OptionError(f"Signatures need the package cryptography, which is not installed; install it: {INSTALL}")
