"""An S3 server of the test's own: moto's, over HTTP, which checks keys and what they may do."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlencode

import httpx2

from storage.settings import StorageSettings

PAGE = 10
"""What it lists at once, so that a few objects are several pages; Amazon lists 1,000."""
_START_SECONDS = 60.0
_REGION = "eu-north-1"
_RIGHTS = ("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket")
# Which of AWS's services a request is for is read from here.
_IAM = {"Authorization": "AWS4-HMAC-SHA256 Credential=root/20260101/us-east-1/iam/aws4_request"}
_S3 = {"Authorization": f"AWS4-HMAC-SHA256 Credential=root/20260101/{_REGION}/s3/aws4_request"}


@dataclass(frozen=True, slots=True)
class Key:
    """An access key and its secret."""

    id: str
    secret: str


class S3Process:
    """Started by `with`. Everything in it is gone at the end."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None
        self._made = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def empty_bucket(self) -> str:
        """The name of a bucket that nobody else uses."""
        self._made += 1
        name = f"photos-{self._made}"
        where = f"<LocationConstraint>{_REGION}</LocationConstraint>"
        body = f"<CreateBucketConfiguration>{where}</CreateBucketConfiguration>"
        with self._anybody():
            self._ask("PUT", f"/{name}", body, _S3)
        return name

    def key(self, *rights: str) -> Key:
        """A key that may do this; with no arguments, what the documentation asks for."""
        self._made += 1
        user = f"user-{self._made}"
        allowed = {"Effect": "Allow", "Action": list(rights or _RIGHTS), "Resource": "*"}
        policy = {"Version": "2012-10-17", "Statement": [allowed]}
        with self._anybody():
            self._iam("CreateUser", UserName=user)
            document = json.dumps(policy)
            self._iam("PutUserPolicy", UserName=user, PolicyName="p", PolicyDocument=document)
            answer = self._iam("CreateAccessKey", UserName=user)
        return Key(_element(answer, "AccessKeyId"), _element(answer, "SecretAccessKey"))

    def settings(self, bucket: str, key: Key, **others: object) -> StorageSettings:
        """Settings of a store in this bucket."""
        told = {
            "photos_url": f"s3://{bucket}/some/prefix",
            "photos_endpoint": self.url,
            "photos_region": _REGION,
            "photos_access_key": key.id,
            "photos_secret_key": key.secret,
        }
        return StorageSettings(**(told | others))  # type: ignore[arg-type]  # pydantic checks

    def environment(self, bucket: str, key: Key, **others: str) -> dict[str, str]:
        """The same for a process."""
        told = {
            "STORAGE_PHOTOS_URL": f"s3://{bucket}/some/prefix",
            "STORAGE_PHOTOS_ENDPOINT": self.url,
            "STORAGE_PHOTOS_REGION": _REGION,
            "STORAGE_PHOTOS_ACCESS_KEY": key.id,
            "STORAGE_PHOTOS_SECRET_KEY": key.secret,
        }
        return told | others

    def objects(self, bucket: str) -> list[str]:
        """The keys of all objects there."""
        with self._anybody():
            return re.findall(r"<Key>([^<]+)</Key>", self._ask("GET", f"/{bucket}", "", _S3))

    def put(self, bucket: str, key: str, data: str, **says: str) -> None:
        """Store an object past everything of ours; `says`: what it says of itself."""
        own = {f"x-amz-meta-{name}": value for name, value in says.items()}
        with self._anybody():
            self._ask("PUT", f"/{bucket}/{key}", data, _S3 | own)

    def drop_bucket(self, bucket: str) -> None:
        """Remove an empty bucket."""
        with self._anybody():
            self._ask("DELETE", f"/{bucket}", "", _S3)

    def _iam(self, action: str, **fields: str) -> str:
        form = urlencode({"Action": action, "Version": "2010-05-08", **fields})
        return self._ask(
            "POST", "/", form, _IAM | {"Content-Type": "application/x-www-form-urlencoded"}
        )

    def _ask(self, method: str, path: str, body: str, headers: Mapping[str, str]) -> str:
        typed = {"Content-Type": "text/plain", **headers}
        answer = httpx2.request(method, self.url + path, content=body, headers=typed, timeout=30)
        assert answer.is_success, answer.text
        return answer.text

    @contextmanager
    def _anybody(self) -> Iterator[None]:
        """While it lasts the server takes every key, as for whoever set it up."""
        self._check_after("inf")
        try:
            yield
        finally:
            self._check_after("0")

    def _check_after(self, requests: str) -> None:
        self._ask("POST", "/moto-api/reset-auth", requests, {})

    def __enter__(self) -> Self:
        address = ["-H", "127.0.0.1", "-p", str(self.port)]
        self._process = subprocess.Popen(
            [sys.executable, "-c", "import moto.server; moto.server.main()", *address],
            env=os.environ | {"MOTO_S3_DEFAULT_MAX_KEYS": str(PAGE)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + _START_SECONDS
        while not self._is_listening():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.__exit__(None, None, None)
                raise AssertionError("moto's server did not start")
            time.sleep(0.05)  # there is no other sign that it listens
        self._check_after("0")
        return self

    def _is_listening(self) -> bool:
        with socket.socket() as client:
            client.settimeout(0.5)
            return client.connect_ex(("127.0.0.1", self.port)) == 0

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def _element(answer: str, name: str) -> str:
    found = re.search(f"<{name}>([^<]+)</{name}>", answer)
    assert found is not None, answer
    return found[1]
