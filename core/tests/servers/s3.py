"""An S3 of moto's, in a thread of this process, with a bucket; the environment points to it while it runs. And one
whose credentials have ended."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BUCKET = "dvt-test"
_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "s3cret-of-moto",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@contextmanager
def running() -> Iterator[str]:
    """The address of an S3 with the bucket `BUCKET`."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    address = f"http://127.0.0.1:{port}"
    settings = {**_ENVIRONMENT, "AWS_ENDPOINT_URL_S3": address}
    before = {key: os.environ.get(key) for key in settings}
    os.environ.update(settings)
    try:
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        yield address
    finally:
        clear()  # moto's buckets outlive its server: they are this process's
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value
        server.stop()


def keys() -> list[str]:
    """What lies in the bucket."""
    import boto3

    return [item["Key"] for item in boto3.client("s3").list_objects_v2(Bucket=BUCKET).get("Contents", [])]


def clear() -> None:
    """Nothing lies in the bucket any more."""
    import boto3

    for key in keys():
        boto3.client("s3").delete_object(Bucket=BUCKET, Key=key)


@contextmanager
def expired() -> Iterator[str]:
    """The address of an AWS whose every answer is that the credentials have ended, S3's and the log-in's."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Expired)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Expired(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *words: object) -> None:
        """Nothing is logged."""

    def do_GET(self) -> None:
        """S3's form."""
        words = "<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>"
        self._refuse(400, words)

    do_HEAD = do_GET

    def do_POST(self) -> None:
        """The form of services that are asked by an action."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        words = "The security token included in the request is expired"
        about = f"<Type>Sender</Type><Code>ExpiredToken</Code><Message>{words}</Message>"
        self._refuse(403, f"<ErrorResponse><Error>{about}</Error><RequestId>r</RequestId></ErrorResponse>")

    def _refuse(self, status: int, words: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(words)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(words.encode())
