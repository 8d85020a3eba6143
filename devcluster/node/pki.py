"""Certificates and kubeconfigs of one node. Each start creates a new certificate authority."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NODE_ADDRESS = "10.99.0.2"
SERVICE_ADDRESS = "10.96.0.1"
CONTEXT = "deltastream-node"
API_NAMES = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
API_ADDRESSES = ("127.0.0.1", SERVICE_ADDRESS, NODE_ADDRESS)
_VALID = timedelta(days=30)


@dataclass(frozen=True, kw_only=True)
class Identity:
    """The subject of one certificate.

    `file` is the name of its files, `name` the user and `group` the group in RBAC. `serves` are the DNS names
    and IP addresses for which it is a server certificate.
    """

    file: str
    name: str
    group: str | None = None
    serves: Sequence[str] = ()


IDENTITIES = (
    Identity(file="apiserver", name="kube-apiserver", serves=(*API_NAMES, *API_ADDRESSES)),
    # The API server uses this for logs, exec and port-forward at the kubelet, as kubeadm sets it up.
    Identity(file="apiserver-kubelet", name="kube-apiserver-kubelet-client", group="system:masters"),
    Identity(file="admin", name="admin", group="system:masters"),
    Identity(
        file="kubelet", name="system:node:ds-node", group="system:nodes", serves=("ds-node", NODE_ADDRESS)
    ),
)


def write(folder: Path, *, now: datetime) -> None:
    """Write the authority, every identity and the signing key of service account tokens to `folder` as PEM.

    Certificates are valid for 30 days from `now`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = _name("deltastream-node-ca", None)
    ca = _builder(ca_name, ca_name, ca_key, now).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), True
    )
    _save(folder, "ca", ca_key, ca.sign(ca_key, hashes.SHA256()))
    for identity in IDENTITIES:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name(identity.name, identity.group), ca_name, key, now)
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH]
        if identity.serves:
            usages.append(ExtendedKeyUsageOID.SERVER_AUTH)
            builder = builder.add_extension(
                x509.SubjectAlternativeName(list(map(_alternative, identity.serves))), False
            )
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), False)
        _save(folder, identity.file, key, builder.sign(ca_key, hashes.SHA256()))
    signer = ec.generate_private_key(ec.SECP256R1())
    _save_key(folder / "service-accounts.key", signer)
    (folder / "service-accounts.pub").write_bytes(
        signer.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )


def kubeconfig(pki: Path, *, server: str, identity: str) -> str:
    """Return a kubeconfig that refers to the files of `identity` in the folder `pki`.

    `pki` is the path as its user sees it: on the host or inside the node.
    """
    user = f"{{client-certificate: {pki}/{identity}.crt, client-key: {pki}/{identity}.key}}"
    return f"""apiVersion: v1
kind: Config
clusters: [{{name: {CONTEXT}, cluster: {{server: "{server}", certificate-authority: "{pki}/ca.crt"}}}}]
users: [{{name: {identity}, user: {user}}}]
contexts: [{{name: {CONTEXT}, context: {{cluster: {CONTEXT}, user: {identity}}}}}]
current-context: {CONTEXT}
"""


def _name(common: str, group: str | None) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group)] if group else []
    return x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + _VALID)
    )


def _save(folder: Path, name: str, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
    _save_key(folder / f"{name}.key", key)
    (folder / f"{name}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _save_key(file: Path, key: ec.EllipticCurvePrivateKey) -> None:
    file.touch(mode=0o600)
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
