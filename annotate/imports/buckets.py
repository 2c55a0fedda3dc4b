"""Objects in S3, read piece by piece where they lie: `s3://bucket/key`.

The credentials and the endpoint are those of the storage where that is a bucket too, else those that boto3 finds
(AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL_S3 and so on). For commands alone: whoever imports through the admin must not
read with the server's credentials.
"""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, BinaryIO, cast

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from django.core.files.storage import default_storage

from annotate.actions.jobs import Refused
from annotate.imports.media_source import candidates, safe_parts
from annotate.imports.record import RowError
from annotate.imports.spec import FileSpec

SCHEME = "s3://"
_PIECE = 8 * 1024 * 1024


def split(url: str) -> tuple[str, str]:
    """(bucket, key).

    Raises:
        Refused: the URL names no bucket.
    """
    bucket, _, key = url.removeprefix(SCHEME).partition("/")
    if not bucket:
        raise Refused(f"{url}: name a bucket, as in s3://bucket/folder/.")
    return bucket, key


def client() -> Any:
    connection = getattr(default_storage, "connection", None)
    return connection.meta.client if connection is not None else boto3.client("s3")


def listed(url: str, wanted: Callable[[str], bool]) -> list[FileSpec]:
    """The object of this name, else those below the prefix whose names are wanted, in the order of their keys.

    Raises:
        Refused: there is nothing at all, or it cannot be listed.
    """
    bucket, prefix = split(url)
    found: list[FileSpec] = []
    anything = False
    try:
        pages = client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        for one in (one for page in pages for one in page.get("Contents", ())):
            key = one["Key"]
            file = FileSpec(key, f"{SCHEME}{bucket}/{key}", size=one["Size"], etag=one["ETag"])
            if key == prefix:
                return [replace(file, name=key.rsplit("/")[-1])]
            # A prefix ends with a name: `s3://b/data` is not `s3://b/database/a.jsonl`.
            if not prefix or prefix.endswith("/") or key.startswith(f"{prefix}/"):
                anything = True
                name = key.removeprefix(prefix).lstrip("/")
                if wanted(name):
                    found.append(replace(file, name=name))
    except (BotoCoreError, ClientError) as error:
        raise Refused(f"{url}: {error}") from None
    if not anything:
        raise Refused(f"{url}: there is no such object, and none below it.")
    return found


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _told(error: ClientError, bucket: str, key: str) -> Exception:
    """A refusal that no retry mends; the error itself where one may, as the job is then tried again."""
    refused = _status(error) in (400, 401, 403)
    return Refused(f"{SCHEME}{bucket}/{key}: {error}") if refused else error


class _Object(io.RawIOBase):
    """An object as a file that can be sought in; each read asks for its range of the very version that was listed."""

    def __init__(self, s3: Any, bucket: str, key: str, size: int, etag: str) -> None:
        self._s3, self._bucket, self._key = s3, bucket, key
        self._size, self._etag, self._at = size, etag, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        count = min(len(buffer), self._size - self._at)
        if count <= 0:
            return 0
        try:
            got = self._s3.get_object(
                Bucket=self._bucket,
                Key=self._key,
                Range=f"bytes={self._at}-{self._at + count - 1}",
                IfMatch=self._etag,
            )["Body"].read()
        except ClientError as error:
            if _status(error) in (404, 412):
                raise Refused(
                    f"{SCHEME}{self._bucket}/{self._key} has changed since this import began: start it anew."
                ) from None
            raise _told(error, self._bucket, self._key) from None
        buffer[: len(got)] = got
        self._at += len(got)
        return len(got)


@contextmanager
def opened(file: FileSpec) -> Iterator[BinaryIO]:
    """An object for reading, with seeking, a few megabytes of it in memory."""
    bucket, key = split(file.path)
    raw = _Object(client(), bucket, key, file.size, file.etag)
    with io.BufferedReader(raw, _PIECE) as buffered:
        yield cast(BinaryIO, buffered)


class BucketMedia:
    """Media below a prefix."""

    def __init__(self, url: str) -> None:
        self._bucket, prefix = split(url)
        self._prefix = prefix.rstrip("/") + "/" if prefix else ""
        self._s3 = client()

    def close(self) -> None:
        """Nothing is open."""

    @contextmanager
    def open(self, path: str, field: str) -> Iterator[tuple[BinaryIO, int]]:
        for candidate in candidates(path):
            key = self._prefix + "/".join(safe_parts(candidate, field))
            try:
                head = self._s3.head_object(Bucket=self._bucket, Key=key)
                break
            except ClientError as error:
                if _status(error) != 404:
                    raise _told(error, self._bucket, key) from None
        else:
            raise RowError(
                field, f"names {path!r:.120}, which is not below {SCHEME}{self._bucket}/{self._prefix}."
            )
        size = head["ContentLength"]
        raw = _Object(self._s3, self._bucket, key, size, head["ETag"])
        # Not as BufferedReader: who asks for a descriptor must copy it.
        yield cast(BinaryIO, _Buffered(raw)), size


class _Buffered:
    """Reads of a few bytes out of large pieces."""

    def __init__(self, raw: _Object) -> None:
        self._reader = io.BufferedReader(raw, 1024 * 1024)

    def read(self, count: int = -1) -> bytes:
        return self._reader.read(count)
