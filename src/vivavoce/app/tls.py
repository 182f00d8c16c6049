"""TLS for the server: a certificate that was given, or one made here for testing.

Some clients dial only `wss`. For those the server signs a certificate of its own; a client trusts it by its file.
It is no certificate authority, so whoever trusts it trusts this server and nothing else. The private key is made
once and kept; the certificate is replaced when it nears its end or lacks a name, each time in one rename, so that
servers which start at once share a key and never read half a file.
"""

import contextlib
import datetime
import ipaddress
import os
import ssl
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from vivavoce.config.model import Server

VALID_FOR: Final = datetime.timedelta(days=397)  # browsers take no longer one: CA/Browser Forum, section 6.3.2
RENEW_BEFORE: Final = datetime.timedelta(days=30)
BACKDATED_BY: Final = datetime.timedelta(days=1)  # for clients whose clocks are behind
LOCAL_NAMES: Final = ("localhost", "127.0.0.1", "::1")
_PRIVATE: Final = 0o600


class TlsError(ValueError):
    """A certificate or its key cannot be used; the message says which file and why."""


class TlsFiles(msgspec.Struct, frozen=True):
    """Where a certificate chain and its private key are, both PEM. The key's content is never told anyone."""

    certificate: Path
    key: Path


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """Return how the server speaks TLS: version 1.2 or later, HTTP/1.1, no client certificates.

    Raises:
        TlsError: a file cannot be read, or the two do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION  # each one would cost the server as much as a handshake
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(files.certificate, files.key, password=_no_password)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise TlsError(f"certificate {files.certificate} and key {files.key} cannot be used: {reason}") from error
    return context


def _no_password() -> str:
    """Keep OpenSSL from asking on the terminal."""
    raise ValueError("the key is encrypted")


def fingerprint(certificate: Path) -> str:
    """Return the SHA-256 fingerprint of the first certificate of a file, as browsers and `openssl` show it.

    Raises:
        TlsError: there is no certificate to read.
    """
    try:
        digest = x509.load_pem_x509_certificate(certificate.read_bytes()).fingerprint(hashes.SHA256())
    except (OSError, ValueError) as error:
        raise TlsError(f"certificate {certificate} cannot be read: {error}") from error
    return digest.hex(":").upper()


def tls_files(server: Server, folder: Path, now: datetime.datetime) -> TlsFiles | None:
    """Return the certificate to serve with, None for plain HTTP; a self-signed one is made or renewed in `folder`.

    Raises:
        ValueError: only one of certificate and key is named, both ways are asked for, or the files cannot be used.
    """
    named = [path for path in (server.tls_certificate, server.tls_key) if path is not None]
    if named and server.tls_self_signed:
        raise ValueError("tls_self_signed makes a certificate; expected it without tls_certificate and tls_key")
    if server.tls_self_signed:
        return self_signed(folder, (server.host, *server.host_names), now)
    if not named:
        return None
    if len(named) == 1:
        raise ValueError("expected tls_certificate and tls_key together, got only one of them")
    files = TlsFiles(*named)
    server_context(files)  # raises what is wrong with them
    return files


# A certificate of our own --------------------------------------------------------------------------------------


def self_signed(folder: Path, host_names: Iterable[str], now: datetime.datetime) -> TlsFiles:
    """Return a certificate in `folder` for this machine and `host_names`; it is made or renewed where needed.

    Args:
        folder: made if absent, readable by its owner only, as are the files.
        now: with a time zone.

    Raises:
        TlsError: the folder cannot be written to, or holds a key that is none.
    """
    files = TlsFiles(folder / "certificate.pem", folder / "key.pem")
    names = (*LOCAL_NAMES, *(name for name in host_names if not _is_any_address(name)))
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = _kept_key(files.key)
        if not _still_serves(files.certificate, key, names, now):
            _replace(files.certificate, _signed(key, names, now).public_bytes(serialization.Encoding.PEM))
    except (OSError, ValueError, TypeError) as error:
        raise TlsError(f"no certificate can be kept in {folder}: {error}") from error
    return files


def _is_any_address(name: str) -> bool:
    """`0.0.0.0` and `::` are listened on and never asked for."""
    address = _address(name)
    return address is not None and address.is_unspecified


def _kept_key(path: Path) -> ec.EllipticCurvePrivateKey:
    with contextlib.suppress(FileExistsError):
        _create(path, _new_key())
    path.chmod(_PRIVATE)
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError(f"expected an elliptic-curve key in {path.name}")
    return key


def _new_key() -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _still_serves(path: Path, key: ec.EllipticCurvePrivateKey, names: Iterable[str], now: datetime.datetime) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        held = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, x509.ExtensionNotFound):
        return False
    is_current = certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc - RENEW_BEFORE
    return is_current and certificate.public_key() == key.public_key() and set(_general_names(names)) <= set(held)


def _signed(key: ec.EllipticCurvePrivateKey, names: Iterable[str], now: datetime.datetime) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "vivavoce self-signed")])
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)  # digital signature only
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED_BY)
        .not_valid_after(now - BACKDATED_BY + VALID_FOR)
        .add_extension(x509.SubjectAlternativeName(_general_names(names)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(identifier, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .sign(key, hashes.SHA256())
    )


def _general_names(names: Iterable[str]) -> list[x509.GeneralName]:
    return [_general_name(name) for name in dict.fromkeys(names)]


def _general_name(name: str) -> x509.GeneralName:
    address = _address(name)
    return x509.DNSName(name.lower().removesuffix(".")) if address is None else x509.IPAddress(address)


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name.strip("[]").partition("%")[0])
    except ValueError:
        return None


def _create(path: Path, content: bytes) -> None:
    """Write a file that was not there; raises FileExistsError, and never leaves half a file under its name."""
    scratch = _scratch(path, content)
    try:
        os.link(scratch, path)
    finally:
        scratch.unlink()


def _replace(path: Path, content: bytes) -> None:
    scratch = _scratch(path, content)
    try:
        scratch.replace(path)
    except OSError:
        scratch.unlink()
        raise


def _scratch(path: Path, content: bytes) -> Path:
    """Return a file beside `path`, readable by its owner only."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # before the rename: a crash must not leave an empty key under its name
    except BaseException:
        os.unlink(name)
        raise
    return Path(name)
