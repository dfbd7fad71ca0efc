"""A door with TLS before a server that has none: it asks whoever comes for a certificate of the same authority."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import socket
import ssl
import threading
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


class Authority:
    """A private authority, and the certificates that it gives to 127.0.0.1."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._key = folder, ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a private authority")])
        self.file = folder / "ca.pem"
        made = self._signed(self._name, self._key, authority=True)
        self.file.write_bytes(made.public_bytes(serialization.Encoding.PEM))

    def certificate(self, who: str) -> tuple[Path, Path]:
        """A certificate and its key, as files."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = self._signed(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, who)]), key)
        files = self._folder / f"{who}.pem", self._folder / f"{who}.key"
        files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
        plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, *plain))
        return files

    def _signed(self, name: x509.Name, key: ec.EllipticCurvePrivateKey, authority: bool = False) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - DAY)
            .not_valid_after(now + DAY)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        )
        return made.sign(self._key, hashes.SHA256())


class Door:
    """A port with TLS that leads to one without."""

    def __init__(self, authority: Authority, target: int) -> None:
        self._target = target
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*authority.certificate(f"server{target}"))
        self._context.load_verify_locations(authority.file)
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with contextlib.suppress(OSError), near:
            inside = self._context.wrap_socket(near, server_side=True)
            with socket.create_connection(("127.0.0.1", self._target)) as far, inside:
                # One thread for both directions: a TLS socket is not for two.
                inside.settimeout(0.01)
                far.settimeout(0.01)
                while _passed(inside, far) and _passed(far, inside):
                    pass

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def _passed(source: socket.socket, target: socket.socket) -> bool:
    """Pass on what there is; False once there will be no more."""
    try:
        data = source.recv(65_536)
    except TimeoutError:
        return True
    target.sendall(data)
    return bool(data)
