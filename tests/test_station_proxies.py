"""The configurations of examples/station run: nginx and Caddy, with TLS, before a station; a browser's calls pass."""

import datetime
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from parts import good_part
from station_bench import API, Bench, encoded, opened

pytestmark = pytest.mark.long
FILES = Path(__file__).parent.parent / "examples" / "station"
HOST = "station.example"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Iterator[Bench]:
    with opened(tmp_path_factory.mktemp("station"), behind_tls=True, hosts=[HOST]) as bench:
        bench.taught("part", model)
        yield bench


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate that signs itself, and its key."""
    folder, key = tmp_path_factory.mktemp("tls"), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
    (folder / "station.pem").write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    (folder / "station.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "station.pem", folder / "station.key"


def configured(name: str, bench: Bench, certificate: tuple[Path, Path], port: int) -> str:
    """A configuration as it stands in the examples, but for paths and ports."""
    text = (FILES / name).read_text("utf-8")
    places = ("/etc/ssl/certs/station.pem", "/etc/ssl/private/station.key")
    for place, own in zip(places, certificate, strict=True):
        assert place in text
        text = text.replace(place, str(own))
    assert "127.0.0.1:8765" in text
    return text.replace("127.0.0.1:8765", f"127.0.0.1:{bench.port}").replace("listen 443", f"listen 127.0.0.1:{port}")


def nginx(text: str, folder: Path, port: int) -> list[str]:
    """The words that start nginx, in a folder of its own."""
    own = "\n".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; {_user()} pid {folder}/pid; error_log stderr;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{own}\n{text}\n}}\n"
    )
    return ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"]


def _user() -> str:
    """An administrator's workers would run as another, who may not look into the folders of tests."""
    return "user root;" if os.geteuid() == 0 else ""


def caddy(text: str, folder: Path, port: int) -> list[str]:
    """The words that start Caddy."""
    own = f"{{\nadmin off\nauto_https disable_redirects\nhttps_port {port}\n}}\n"
    (folder / "Caddyfile").write_text(own + text)
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


@pytest.mark.parametrize(("file", "words"), [("nginx.conf", nginx), ("Caddyfile", caddy)], ids=["nginx", "caddy"])
def test_a_proxy_with_tls_before_a_station(
    bench: Bench,
    certificate: tuple[Path, Path],
    tmp_path: Path,
    file: str,
    words: Callable[[str, Path, int], list[str]],
) -> None:
    if shutil.which(words.__name__) is None:
        pytest.skip(f"{words.__name__} is not here (apt-get install {words.__name__})")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = tmp_path / "log"
    with log.open("w") as out:
        proxy = subprocess.Popen(
            words(configured(file, bench, certificate, port), tmp_path, port), stdout=out, stderr=out, cwd=tmp_path
        )
    try:
        _wait_until_it_listens(port, proxy, log)
        _use(bench, port)
    finally:
        proxy.kill()  # asked to end, it would wait for the stream of events
        proxy.wait()


def _wait_until_it_listens(port: int, proxy: "subprocess.Popen[bytes]", log: Path) -> None:
    while proxy.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(log.read_text())


def _use(bench: Bench, port: int) -> None:
    """What browsers and machines do, through the proxy."""
    host = f"{HOST}:{port}"
    cookie, token = bench.with_role("engineer").headers["Cookie"], bench.admin.headers["Authorization"]
    with httpx.Client(base_url=f"https://127.0.0.1:{port}", verify=False, headers={"Host": host}, timeout=60) as client:

        def call(method: str, path: str, **more: object) -> httpx.Response:
            return client.request(method, path, extensions={"sni_hostname": HOST}, **more)  # type: ignore[arg-type]

        page = call("GET", "/login")
        assert page.status_code == 200
        assert "max-age" in page.headers["Strict-Transport-Security"]
        own = {"Cookie": cookie, "Origin": f"https://{host}", "Sec-Fetch-Site": "same-origin"}
        assert call("PATCH", f"{API}/me", json={"lang": "en"}, headers=own).status_code == 200
        other = own | {"Origin": "https://elsewhere.example"}
        assert call("PATCH", f"{API}/me", json={"lang": "ja"}, headers=other).status_code == 403
        machine = {"Authorization": token, "Content-Type": "image/png"}
        part = call("POST", f"{API}/recipes/part/inspections", content=encoded(good_part(1)), headers=machine)
        assert part.status_code == 200, part.text
        assert part.json()["verdict"] == "OK"
        large = call("POST", f"{API}/recipes/part/inspections", content=bytes(5_000_000), headers=machine)
        assert large.status_code == 200, large.text
        assert large.json()["verdict"] == "ERROR", "a large picture passes the proxy, and is judged"
        with client.stream(
            "GET", f"{API}/events", headers={"Authorization": token}, extensions={"sni_hostname": HOST}
        ) as stream:
            assert next(stream.iter_lines()).startswith("retry:"), "events come at once"
