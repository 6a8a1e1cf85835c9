"""An authority for time stamps (RFC 3161), by ``openssl ts``, at a free loopback port."""

from __future__ import annotations

import contextlib
import datetime
import http.server
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from cryptography.x509.oid import ExtendedKeyUsageOID as Usage

from tests.support.issuer import DAY, NOW, Issuer, pem

CONFIG = """\
[ts]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/signer.pem
signer_key = {folder}/signer.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha512
accuracy = secs:1
ordering = no
tsa_name = no
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""


Lasts = tuple[datetime.datetime, datetime.datetime]


class StampAuthority:
    """Stamps; ``root``: the file with its CAs.  Its answer sends its own certificate alone."""

    def __init__(self, folder: Path, lasts: Lasts = (NOW - DAY, NOW + DAY)) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.root = folder, folder / "root.pem"
        issuer = Issuer("Stamps")
        one = issuer.issue("Time Stamps", None, *lasts, usages=[Usage.TIME_STAMPING])
        one.write(folder, "signer")
        (folder / "signer.pem").write_bytes(pem(one.certificate))
        self.anchors = pem(issuer.root) + pem(issuer.below)
        self.root.write_bytes(self.anchors)
        (folder / "ts.cnf").write_text(CONFIG.format(folder=folder))
        (folder / "serial").write_text("01\n")

    def send_chain(self) -> None:
        """Send the CAs' certificates from now on, too, as they come."""
        (self.folder / "chain.pem").write_bytes(self.anchors)
        with (self.folder / "ts.cnf").open("a") as file:
            file.write(f"certs = {self.folder}/chain.pem\n")

    def stamp(self, query: bytes) -> bytes:
        """Answer a request."""
        asked, answer = self.folder / "query.tsq", self.folder / "answer.tsr"
        asked.write_bytes(query)
        subprocess.run(
            ["openssl", "ts", "-reply", "-config", str(self.folder / "ts.cnf"), "-section", "ts",
             "-queryfile", str(asked), "-out", str(answer)], check=True, capture_output=True,
        )  # fmt: skip
        return answer.read_bytes()


Answer = Callable[[bytes], tuple[int, bytes]]


@contextlib.contextmanager
def answering(answer: Answer) -> Iterator[str]:
    """Answer requests at a URL."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.headers["Content-Type"] == "application/timestamp-query"
            status, body = answer(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with contextlib.suppress(OSError):  # who asked has given up
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/stamp"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
