"""A real S3 server for tests: versitygw over a folder, with its own users and signature checks."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import boto3
from botocore.config import Config
from reflection_trainer.train.family import dying_with_this_process

from .go_tools import go_tool
from .ports import free_ports

PACKAGE = "github.com/versity/versitygw/cmd/versitygw"
REGION = "us-east-1"
_READY_SECONDS = 30


class Key(NamedTuple):
    """An access key."""

    id: str
    secret: str

    @property
    def environment(self) -> dict[str, str]:
        return {"AWS_ACCESS_KEY_ID": self.id, "AWS_SECRET_ACCESS_KEY": self.secret}


ROOT = Key("AKIAROOTOFTHETESTS", "not-so-secret")


class S3Server:
    """A running server. Use as a context manager."""

    def __init__(self, folder: Path, *, options: tuple[str, ...] = (), scheme: str = "http") -> None:
        self._program = go_tool("versitygw", PACKAGE)
        self._options = options
        self._log = folder / "versitygw.log"
        self.objects, self._meta, self._users = (folder / name for name in ("objects", "meta", "users"))
        for made in (self.objects, self._meta, self._users):
            made.mkdir(parents=True)
        (self.port,) = free_ports(1)
        self.endpoint = f"{scheme}://127.0.0.1:{self.port}"

    def __enter__(self) -> S3Server:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    str(self._program), "--port", f"127.0.0.1:{self.port}", "--region", REGION, "--quiet", "--keep-alive",
                    "--iam-dir", str(self._users), "--iam-cache-disable", *self._options,
                    "posix", "--sidecar", str(self._meta), str(self.objects),
                ],
                env={**os.environ, "ROOT_ACCESS_KEY": ROOT.id, "ROOT_SECRET_KEY": ROOT.secret},
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=dying_with_this_process(),
            )  # fmt: skip
        self._wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def client(self, key: Key = ROOT, **settings: Any) -> Any:
        """A plain boto3 client, to look at the server with."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=key.id,
            aws_secret_access_key=key.secret,
            config=Config(**settings),
        )

    def new_bucket(self) -> str:
        """The name of a new bucket."""
        name = f"runs-{uuid.uuid4().hex[:12]}"
        self.client().create_bucket(Bucket=name)
        return name

    def put_folder(self, folder: Path, bucket: str, prefix: str) -> str:
        """Store the files of a folder; its URI."""
        for file in folder.rglob("*"):
            if file.is_file():
                self.client().upload_file(str(file), bucket, f"{prefix}/{file.relative_to(folder)}")
        return f"s3://{bucket}/{prefix}"

    def new_user(self) -> Key:
        """The key of a new user, who may do nothing yet."""
        key = Key(f"AKIA{uuid.uuid4().hex[:16].upper()}", uuid.uuid4().hex)
        self._admin("create-user", "--access", key.id, "--secret", key.secret, "--role", "user")
        return key

    def delete_user(self, key: Key) -> None:
        self._admin("delete-user", "--access", key.id)

    def allow(self, bucket: str, key: Key, actions: Mapping[str, str] | None = None) -> None:
        """Replace what anybody may do in a bucket: now only this user, everything or these actions.

        `actions` has the action for each resource: `` is the bucket itself, `team/*` the objects with that prefix.
        """
        statements = [
            {
                "Effect": "Allow",
                "Principal": {"AWS": [key.id]},
                "Action": action,
                "Resource": [f"arn:aws:s3:::{bucket}/{resource}".rstrip("/")],
            }
            for resource, action in (actions or {"": "s3:*", "*": "s3:*"}).items()
        ]
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        self.client().put_bucket_policy(Bucket=bucket, Policy=policy)

    def _admin(self, *words: str) -> None:
        command = [
            str(self._program),
            "admin",
            "--access",
            ROOT.id,
            "--secret",
            ROOT.secret,
            "--region",
            REGION,
        ]
        subprocess.run(
            [*command, "--endpoint-url", self.endpoint, *words], check=True, capture_output=True, timeout=60
        )

    def _wait(self) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"versitygw did not start: {self._log.read_text()}") from None
                time.sleep(0.02)
            else:
                return
