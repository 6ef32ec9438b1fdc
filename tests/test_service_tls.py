"""A certificate that cannot be used is told before anybody is told where the station is."""

import datetime
from pathlib import Path

import pytest

from blemish.errors import DataError
from blemish.language.translation import translated
from blemish.service.serving import serve

x509 = pytest.importorskip("cryptography.x509", reason="cryptography is not here")
from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec  # noqa: E402


def _written(folder: Path, password: bytes | None = None) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "station.example")])
    now = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    made = made.not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    pem = serialization.Encoding.PEM
    kept = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    folder.mkdir()
    (folder / "a.pem").write_bytes(made.sign(key, hashes.SHA256()).public_bytes(pem))
    (folder / "a.key").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, kept))
    return folder / "a.pem", folder / "a.key"


def _refused(folder: Path, cert: Path | None, key: Path | None) -> str:
    said: list[str] = []
    with pytest.raises(DataError) as refused:
        serve(folder / "station", port=0, say=said.append, tls_cert=cert and str(cert), tls_key=key and str(key))
    assert said == [], "nobody is sent to an address that does not answer"
    assert not (folder / "station").exists()
    assert translated(str(refused.value)) != str(refused.value)
    return str(refused.value)


def test_a_certificate_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    """It said "The output: No such file or directory.", after it had printed the address."""
    cert, key = _written(tmp_path / "one")
    other = _written(tmp_path / "other")[1]
    locked = _written(tmp_path / "locked", b"secret")
    assert "missing.pem cannot be read (No such file or directory); https needs it." in _refused(
        tmp_path, tmp_path / "missing.pem", key
    )
    for pair in ((cert, other), (key, key), locked):
        assert "no certificate with its key" in _refused(tmp_path, *pair)
    for half in ((cert, None), (None, key)):
        assert "https needs both" in _refused(tmp_path, *half)


def test_half_of_a_pair_in_the_settings_is_refused_as_on_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "blemish.toml").write_text('tls_cert = "a.pem"\n', "utf-8")
    with pytest.raises(DataError, match="https needs both"):
        serve(tmp_path, port=0)
