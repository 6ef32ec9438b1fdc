"""What is set on the disk alone, in blemish.toml of the station's folder: addresses and bounds, never from a page."""

import ipaddress
import ssl
import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from blemish.errors import DataError

__all__ = ["StationSettings", "check_tls", "ip_of", "read_settings"]

FILE = "blemish.toml"


class StationSettings(BaseModel):
    """The fields of blemish.toml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    """The address to listen at; another than loopback only where somebody has a password, or a token exists."""
    port: int = Field(default=8765, ge=0, le=65_535)
    hosts: list[str] = []
    """Host names that the station answers to, beside the loopback ones and `host`; by its number it can be called
    wherever it listens to other machines."""
    max_body_mb: int = Field(default=64, ge=1, le=4096)
    """Of one call, in megabytes."""
    body_seconds: float = Field(default=30.0, gt=0, le=3600)
    """How long to wait for the next piece of a body."""
    record_within_ms: int = Field(default=250, ge=10, le=60_000)
    """A verdict that is not on the disk after this is answered with `recorded: false`."""
    threads: int | None = Field(default=None, ge=1, le=1024)
    """Threads that judge; one for each processor where nothing is said."""
    tls_cert: str | None = None
    tls_key: str | None = None
    behind_tls: bool = False
    """Whether a proxy before the station speaks TLS, so that cookies are for https alone."""

    @property
    def local(self) -> bool:
        """Whether only this machine can reach the station."""
        address = ip_of(self.host)
        return self.host == "localhost" if address is None else address.is_loopback

    @property
    def secure(self) -> bool:
        return self.behind_tls or self.tls_cert is not None


def ip_of(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """A host as the number of a machine; None for a name."""
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def check_tls(settings: StationSettings) -> None:
    """Raise DataError where the station could not speak https as it is told to."""
    files = settings.tls_cert, settings.tls_key
    if files == (None, None):
        return
    if None in files:
        raise DataError("https needs both: give --tls-cert and --tls-key.")
    for file in files:
        try:
            Path(file or "").read_bytes()
        except OSError as error:
            raise DataError(f"{file} cannot be read ({error.strerror or error}); https needs it.") from None
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files[0] or "", files[1], password=lambda: "")  # nobody is there to be asked for one
    except (OSError, ValueError):
        raise DataError(
            f"{files[0]} and {files[1]} are no certificate with its key; https needs both in PEM, the key without a "
            f"password."
        ) from None


def read_settings(folder: Path) -> StationSettings:
    """The settings of a station; the defaults where there is no blemish.toml. Raises DataError."""
    path = folder / FILE
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return StationSettings()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read ({error}).") from None
    try:
        return StationSettings.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"{path} is not TOML: {error}.") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise DataError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}.") from None
