"""TLS arguments of every dialect, as PEM: Werkzeug's `ssl_context`, eventlet's and gevent's `certfile` and `keyfile`.

A ready `ssl.SSLContext` stays what it is, since it does not give out its key: see :mod:`erlen.relay`.
"""

from __future__ import annotations

import logging
import ssl
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple, Optional, Union

from . import _erlen

__all__ = ["Demands", "Secured", "asked", "pem", "tell_out_of_date"]

_log = logging.getLogger("erlen")

Password = Union[None, str, bytes]

Secured = Union[None, tuple[bytes, bytes], ssl.SSLContext]
"""Plain HTTP; the PEM of the certificates and of the key; a context."""


class Demands(NamedTuple):
    """What eventlet's and gevent's servers can be asked for beside the files, by the names of :mod:`ssl`."""

    cert_reqs: Optional[int] = None
    ca_certs: Optional[str] = None
    ciphers: Optional[str] = None
    ssl_version: Optional[int] = None

    def version(self) -> Optional[ssl.TLSVersion]:
        """The one version that may be spoken; None for any."""
        if self.ssl_version in (None, ssl.PROTOCOL_TLS, ssl.PROTOCOL_TLS_SERVER):
            return None
        name = getattr(self.ssl_version, "name", "").partition("PROTOCOL_")[2]
        if name not in ssl.TLSVersion.__members__:
            raise ValueError(f"ssl_version={self.ssl_version!r} is no version of TLS for a server")
        return ssl.TLSVersion[name]

    def named(self) -> list[str]:
        """Those that were given."""
        return [f"{name}={value!r}" for name, value in self._asdict().items() if value is not None]

    def are_any(self) -> bool:
        """Whether the files alone do not say it."""
        return bool(self.cert_reqs or self.ciphers) or self.version() is not None


def asked(
    ssl_context: Any,
    certfile: Optional[str],
    keyfile: Optional[str],
    password: Password,
    demands: Demands,
) -> Secured:
    """What :func:`pem` gives, or the ready context; where more is asked for than the files, a context that asks for it."""
    if isinstance(ssl_context, ssl.SSLContext):
        return ssl_context
    secured = pem(ssl_context, certfile, keyfile, password)
    if secured is None or not demands.are_any():
        return secured
    if ssl_context == "adhoc":
        raise ValueError("ssl_context='adhoc' is a certificate and nothing else: give certfile= and keyfile=")
    certfile, keyfile, password = _files(ssl_context, certfile, keyfile, password)
    return _context(str(certfile), keyfile, password, demands)


def _files(
    ssl_context: Any, certfile: Optional[str], keyfile: Optional[str], password: Password
) -> tuple[Optional[str], Optional[str], Password]:
    """The certificate's file, the key's and its password: those of the tuple, where there is one."""
    return (certfile, keyfile, password) if ssl_context is None else (*ssl_context, None, None)[:3]


def _context(certfile: str, keyfile: Optional[str], password: Password, demands: Demands) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certfile, keyfile, password)
        if demands.ca_certs is not None:
            context.load_verify_locations(demands.ca_certs)
        if demands.ciphers is not None:
            context.set_ciphers(demands.ciphers)
        version = demands.version()
        if version is not None:
            context.minimum_version = context.maximum_version = version
        context.verify_mode = ssl.VerifyMode(demands.cert_reqs or ssl.CERT_NONE)
    except OSError as error:
        raise ValueError(f"TLS with {', '.join(demands.named())}: {error}") from None
    return context


def pem(
    ssl_context: Any = None,
    certfile: Optional[str] = None,
    keyfile: Optional[str] = None,
    password: Password = None,
) -> Optional[tuple[bytes, bytes]]:
    """The PEM of the certificates and of the key; None for plain HTTP.

    :param ssl_context: `'adhoc'`, or a tuple of a certificate's and a key's file and the key's password.
    :param certfile: a file with the certificate and its chain, and maybe the key.
    :param keyfile: a file with the key.
    :param password: the key's.
    :raises ValueError: a file that is missing, or is not what it should be; its message says how to mend that.
    """
    if ssl_context == "adhoc":
        return _adhoc()
    certfile, keyfile, password = _files(ssl_context, certfile, keyfile, password)
    if certfile is None:
        if keyfile is not None:
            raise ValueError("keyfile= is given without certfile=: TLS needs the certificate too")
        return None
    certificates = _read(certfile, "certificate")
    key = _read(keyfile, "private key") if keyfile is not None else certificates
    if b"-----BEGIN CERTIFICATE-----" not in certificates:
        raise ValueError(f"there is no certificate in {certfile}: it has to have a line BEGIN CERTIFICATE")
    if b"PRIVATE KEY-----" not in key:
        mend = "is it the certificate's file?" if keyfile is not None else "give its file too, as keyfile="
        raise ValueError(f"there is no private key in {keyfile or certfile}; {mend}")
    if b"ENCRYPTED" in key:
        key = _decrypted(key, keyfile or certfile, password)
    return certificates, key


def tell_out_of_date(ssl_context: Any, certfile: Optional[str]) -> None:
    """Warns of a file whose certificate is not valid now. It is served all the same: a client may not look at that."""
    if isinstance(ssl_context, (str, ssl.SSLContext)):
        return
    path, _, _ = _files(ssl_context, certfile, None, None)
    found = None if path is None else _erlen.out_of_date(_read(path, "certificate"))
    if found is not None:
        has_expired, moment = found
        when = datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
        fault = "has expired, on" if has_expired else "is not valid before"
        _log.warning("the certificate in %s %s %s: clients refuse it", path, fault, when)


def _read(path: str, what: str) -> bytes:
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise ValueError(f"the {what} cannot be read: {path}: {error.strerror}") from None
    if b"-----BEGIN" not in data:
        raise ValueError(f"the {what} is not PEM, it has no BEGIN line: {path}")
    return data


def _decrypted(key: bytes, path: str, password: Password) -> bytes:
    if password is None:
        raise ValueError(f"the private key is encrypted: {path}; give its password, or a key without one")
    try:
        from cryptography.hazmat.primitives import serialization
    except ImportError:
        raise ValueError(
            f"the private key is encrypted: {path}; to read it, install cryptography (pip install cryptography)"
        ) from None
    secret = password.encode() if isinstance(password, str) else password
    try:
        loaded = serialization.load_pem_private_key(key, secret)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the private key cannot be decrypted: {path}: {error}") from None
    plain: bytes = loaded.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return plain


def _adhoc() -> tuple[bytes, bytes]:
    """A certificate made for this process, which browsers warn of."""
    try:
        from cryptography.hazmat.primitives import serialization
    except ImportError:
        raise ValueError("ssl_context='adhoc' needs cryptography (pip install cryptography)") from None
    from werkzeug.serving import generate_adhoc_ssl_pair

    certificate, key = generate_adhoc_ssl_pair("localhost")
    return certificate.public_bytes(serialization.Encoding.PEM), key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
