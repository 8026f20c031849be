"""A real HTTP server that speaks S3, and a DVC project whose default remote is in it."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

KEY, SECRET = "AKIATESTTESTTESTTEST", "a-secret-of-this-test"
BUCKET = "bucket"


@dataclass(frozen=True)
class S3:
    """A server of S3 on this machine."""

    url: str

    @property
    def client(self) -> Any:
        return boto3.client(
            "s3", endpoint_url=self.url, aws_access_key_id=KEY, aws_secret_access_key=SECRET, region_name="us-east-1"
        )

    def objects(self) -> dict[str, bytes]:
        """Every object of the bucket, with its bytes."""
        client = self.client
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        keys = [item["Key"] for page in pages for item in page.get("Contents", ())]
        return {key: client.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}

    def ask_for_credentials(self) -> None:
        """From now on only keys that somebody was given are let in: none."""
        self._post("reset-auth", b"0")

    def reset(self) -> None:
        """Forget everything, and make the bucket anew."""
        self._post("reset-auth", b"1000000000")
        self._post("reset", b"")
        self.client.create_bucket(Bucket=BUCKET)

    def _post(self, path: str, data: bytes) -> None:
        request = urllib.request.Request(f"{self.url}/moto-api/{path}", data, {"Content-Type": "text/plain"})
        with urllib.request.urlopen(request) as response:
            response.read()

    def dvc_remote(self, repo: Path, *, url: str = f"s3://{BUCKET}/project", signed: bool = True) -> None:
        """Make it the default remote of a DVC project; the keys stand in ``config.local``."""
        (repo / ".dvc").mkdir(exist_ok=True)
        section = "['remote \"storage\"']\n"
        (repo / ".dvc" / "config").write_text(
            f"[core]\n    remote = storage\n{section}    url = {url}\n    endpointurl = {self.url}\n"
        )
        keys = f"{section}    access_key_id = {KEY}\n    secret_access_key = {SECRET}\n" if signed else ""
        (repo / ".dvc" / "config.local").write_text(keys)


@contextmanager
def serving() -> Iterator[S3]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield S3(f"http://{host}:{port}")
    finally:
        server.stop()
