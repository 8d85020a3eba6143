"""Stores that accept only TLS, with certificates of a test CA.

Also a listener that records the first bytes of a client.
"""

from __future__ import annotations

import datetime
import fcntl
import ipaddress
import shutil
import socket
import subprocess
import threading
from pathlib import Path
from typing import Self

import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from devcluster import tools
from devcluster.processes.stores import PASSWORD, MongoServer, RedisServer

from tests.support import needs

# Debian's Redis and the libraries that it needs. The server in the wheel is built without TLS.
_PACKAGES = ("redis-server", "redis-tools", "libjemalloc2", "liblzf1")


class Certificates:
    """Certificate files in `home`, valid for `names` and loopback.

    The files are `ca`, `certificate`, `key` and `both` (certificate and key).
    """

    def __init__(self, home: Path, *names: str) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.ca, self.certificate = home / "ca.crt", home / "tls.crt"
        self.key, self.both = home / "tls.key", home / "both.pem"
        ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test CA")])
        ca = _signed(issuer, issuer, ca_key, ca_key, x509.BasicConstraints(ca=True, path_length=0))
        addresses = [x509.IPAddress(ipaddress.ip_address(each)) for each in ("127.0.0.1", "::1")]
        served = [*addresses, *(x509.DNSName(name) for name in ("localhost", *names))]
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "store")])
        leaf = _signed(subject, issuer, key, ca_key, x509.SubjectAlternativeName(served), usage)
        self.ca.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
        self.certificate.write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
        self.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        self.both.write_bytes(self.certificate.read_bytes() + self.key.read_bytes())


def _signed(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    by: ec.EllipticCurvePrivateKey,
    *extensions: x509.ExtensionType,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
    )
    for extension in extensions:
        made = made.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
    return made.sign(by, hashes.SHA256())


def redis_programs() -> tuple[Path, dict[str, str]]:
    """Return the folder of a redis-server and a redis-cli with TLS, and the environment that they need.

    The first use unpacks Debian's packages into the cache; nothing is installed. Skips the test if the
    packages are not available.
    """
    root = tools.cache() / "redis-with-tls"
    root.mkdir(parents=True, exist_ok=True)
    with (root / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # `pytest -n 2` has two processes
        if not (root / ".complete").is_file():
            _unpack(root)
    libraries = ":".join(str(each) for each in root.glob("usr/lib/*-linux-gnu"))
    return root / "usr/bin", {"LD_LIBRARY_PATH": libraries}


def _unpack(root: Path) -> None:
    """Download the packages into the folder and unpack them there. Skips the test if that fails."""
    if shutil.which("apt-get") is None:
        needs.lacking("there is no apt-get, and the Redis with TLS comes from Debian's packages")
    apt = ["apt-get", "-q", "-o", "APT::Sandbox::User=root"]
    download = [*apt, "download", *_PACKAGES]
    if subprocess.run(download, cwd=root, capture_output=True, check=False).returncode != 0:
        subprocess.run([*apt, "update"], capture_output=True, check=False)  # it may have no lists
        subprocess.run(download, cwd=root, capture_output=True, check=False)
    for package in root.glob("*.deb"):
        subprocess.run(["dpkg-deb", "--extract", package, root], check=True)
    if not (root / "usr/bin/redis-server").exists():
        needs.lacking("apt-get could not download Debian's redis-tools, the Redis with TLS")
    (root / ".complete").touch()


class TlsRedis(RedisServer):
    """Redis that listens with TLS and on a Unix socket, but not on a plain TCP port."""

    def __init__(self, home: Path, *names: str) -> None:
        super().__init__(home)
        self.certificates = Certificates(home / "tls", *names)
        self.socket = home / "redis.sock"

    def _command(self) -> list[str]:
        programs, environment = redis_programs()
        made = self.certificates
        listening = ["--port", "0", "--tls-port", str(self.port), "--tls-auth-clients", "no"]
        files = ["--tls-cert-file", str(made.certificate), "--tls-key-file", str(made.key)]
        command = [str(programs / "redis-server"), "--bind", "127.0.0.1", "--dir", str(self.home)]
        command += ["--requirepass", PASSWORD, "--save", "", "--unixsocket", str(self.socket)]
        prefix = ["env", *(f"{name}={value}" for name, value in environment.items())]
        return [*prefix, *command, *listening, *files, "--tls-ca-cert-file", str(made.ca)]

    def url(self, database: int = 0) -> str:
        return f"rediss://:{PASSWORD}@127.0.0.1:{self.port}/{database}?ssl_ca_certs={self.certificates.ca}"

    @property
    def unverified(self) -> str:
        """URL without the CA. Clients must refuse to connect with it."""
        return self.url().partition("?")[0]

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url()) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


class TlsMongo(MongoServer):
    """mongod that accepts only TLS connections."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.certificates = Certificates(home / "tls")

    def _command(self) -> list[str]:
        made = self.certificates
        files = ["--tlsCertificateKeyFile", str(made.both), "--tlsCAFile", str(made.ca)]
        optional = ["--tlsMode", "requireTLS", "--tlsAllowConnectionsWithoutCertificates"]
        return [*super()._command(), *optional, *files]

    @property
    def _login(self) -> str:
        return f"mongodb://127.0.0.1:{self.port}/?tls=true&tlsCAFile={self.certificates.ca}"

    @property
    def url(self) -> str:
        return f"{super().url}&tls=true&tlsCAFile={self.certificates.ca}"


class Eavesdropper:
    """A listener that accepts one connection on loopback, records its first bytes and sends nothing."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(30)
        self.port = int(self._socket.getsockname()[1])
        self.heard = b""
        self._thread = threading.Thread(target=self._listen)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()

    def _listen(self) -> None:
        with self._socket:  # closed after the first connection, so that a retry is refused at once
            connection, _ = self._socket.accept()
        with connection:
            connection.settimeout(30)
            self.heard = connection.recv(4096)

    @property
    def greeted_in_tls(self) -> bool:
        """Whether the recorded bytes begin with a TLS ClientHello."""
        return self.heard[:2] == b"\x16\x03" and self.heard[5:6] == b"\x01"
