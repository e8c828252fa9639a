"""Certificates of a test's own authority, for servers on this machine and for their clients."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

HOST = "127.0.0.1"


class Certificates(NamedTuple):
    """Files in PEM."""

    authority: Path
    server: Path
    server_key: Path
    client: Path
    client_key: Path

    @property
    def of_server(self) -> list[str]:
        """A redis-server's options: it asks each client for a certificate, and its replicas and peers, too."""
        files = f"--tls-cert-file {self.server} --tls-key-file {self.server_key} --tls-ca-cert-file {self.authority}"
        return [*files.split(), "--tls-auth-clients", "yes", "--tls-replication", "yes"]

    @property
    def of_client(self) -> str:
        """A client's part of a store's URL."""
        return f"ssl_ca_certs={self.authority}&ssl_certfile={self.client}&ssl_keyfile={self.client_key}"


def make(folder: Path, *hosts: str, days: int = 2) -> Certificates:
    """An authority, a server's certificate for 127.0.0.1 and other hosts, and a client's, each for so many days. A
    server is its peers' client as well."""
    folder.mkdir(parents=True, exist_ok=True)
    key, name = ec.generate_private_key(ec.SECP256R1()), _name("authority")
    authority = _builder(name, name, key.public_key(), days).add_extension(
        x509.BasicConstraints(True, 0), critical=True
    )
    _write(folder / "authority.pem", authority.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    for who in ("server", "client"):
        own = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name(who), name, own.public_key(), days)
        names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST)), *map(x509.DNSName, hosts)])
        signed = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
        _write(folder / f"{who}.pem", signed.public_bytes(Encoding.PEM))
        secret = own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        _write(folder / f"{who}.key", secret)
    return Certificates(
        *(folder / name for name in ("authority.pem", "server.pem", "server.key", "client.pem", "client.key"))
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=days))
    )


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)
