"""The host's Docker daemon over TCP with TLS on both sides, as Docker-in-Docker offers it.

Certificates are made for the one test; a client without one of them is turned away.
"""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SOCKET = "/var/run/docker.sock"


@contextmanager
def docker_over_tls(folder: Path) -> Iterator[dict[str, str]]:
    """Serve the daemon; yields the secret that publish-certificates.sh makes in a cluster."""
    make_certificates(folder)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(folder / "ca.pem"))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(folder / "server.pem", folder / "server-key.pem")
    loop = asyncio.new_event_loop()
    host = threading.Thread(target=loop.run_forever)
    host.start()
    served = asyncio.start_server(_admit, "127.0.0.1", 0, ssl=context)
    server = asyncio.run_coroutine_threadsafe(served, loop).result()
    try:
        yield {
            "DOCKER_HOST": f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}",
            "DOCKER_TLS_VERIFY": "1",
            "DOCKER_CA_PEM": (folder / "ca.pem").read_text(),
            "DOCKER_CERT_PEM": (folder / "cert.pem").read_text(),
            "DOCKER_KEY_PEM": (folder / "key.pem").read_text(),
        }
    finally:
        asyncio.run_coroutine_threadsafe(_end(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        host.join()
        loop.close()


def make_certificates(folder: Path) -> None:
    """ca.pem, server.pem and server-key.pem, cert.pem and key.pem for a client."""
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
    root = _builder(authority, authority, authority_key).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    certificate = root.sign(authority_key, hashes.SHA256())
    (folder / "ca.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    for name, key_name, use in (
        ("server.pem", "server-key.pem", ExtendedKeyUsageOID.SERVER_AUTH),
        ("cert.pem", "key.pem", ExtendedKeyUsageOID.CLIENT_AUTH),
    ):
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        addresses = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
        signed = (
            _builder(subject, authority, key)
            .add_extension(x509.SubjectAlternativeName(addresses), critical=False)
            .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
            .sign(authority_key, hashes.SHA256())
        )
        (folder / name).write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        (folder / key_name).write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=1))
    )


async def _admit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    inside, out = await asyncio.open_unix_connection(SOCKET)
    await asyncio.gather(_pass_on(reader, out), _pass_on(inside, writer))


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while part := await reader.read(1 << 16):
            writer.write(part)
            await writer.drain()
    writer.close()


async def _end(server: asyncio.Server) -> None:
    server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
