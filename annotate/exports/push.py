"""A finished release copied into a bucket: what is there already is not sent again, and all of it is read back."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import BotoCoreError, ClientError
from django.core.files.storage import storages
from storages.backends.s3 import S3Storage

from annotate.actions.jobs import Refused
from annotate.exports.files import MANIFEST
from annotate.exports.verify import manifest_of

_PARTS = TransferConfig(multipart_threshold=16 * 2**20, multipart_chunksize=16 * 2**20)
_BLOCK = 2**20
_NAMED = 5


def place_of(url: str) -> tuple[str, str]:
    """Bucket and prefix of s3://bucket/prefix; the prefix ends with a slash, or is empty.

    Raises:
        Refused: it is no such address.
    """
    parts = urlsplit(url)
    if parts.scheme != "s3" or not parts.netloc or parts.query or parts.fragment:
        raise Refused(f"{url!r} is no place in an object store: give s3://bucket/prefix.")
    prefix = parts.path.strip("/")
    return parts.netloc, f"{prefix}/" if prefix else ""


def push(directory: Path, url: str, tell: Callable[[str], None]) -> int:
    """Send the release in `directory`, the manifest last, and read every file back. Returns how many were sent.

    An object counts as sent once it is whole, of the right size, and says the right SHA-256: killed anywhere, the next
    push sends the others.

    Raises:
        Refused: something else is there, the store refuses or cannot be reached, or what is read back differs.
        NoRelease: `directory` holds no finished release.
    """
    bucket, prefix = place_of(url)
    manifest = manifest_of(directory)
    content = (directory / MANIFEST).read_bytes()
    own = {"path": MANIFEST, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    entries = [*manifest["files"], own]
    client = _client()
    sent = 0
    try:
        _refuse_others(client, bucket, prefix, entries, manifest["release"])
        for entry in entries:
            tell(f"sending {entry['path']}")
            if not _is_there(client, bucket, prefix, entry):
                client.upload_file(
                    str(directory / entry["path"]),
                    bucket,
                    prefix + entry["path"],
                    ExtraArgs={"Metadata": {"sha256": entry["sha256"]}},
                    Config=_PARTS,
                )
                sent += 1
        for entry in entries:
            tell(f"reading back {entry['path']}")
            _check(client, bucket, prefix, entry)
    except (BotoCoreError, ClientError, boto3.exceptions.Boto3Error) as error:
        raise Refused(f"{url} cannot be written: {error}. Push again, and it goes on.") from error
    return sent


def _client() -> Any:
    """As this installation reaches its own bucket; without one, as boto3 finds it in the environment (AWS_...)."""
    storage = storages["default"]
    return storage.connection.meta.client if isinstance(storage, S3Storage) else boto3.client("s3")


def _refuse_others(
    client: Any, bucket: str, prefix: str, entries: list[dict[str, Any]], release: str
) -> None:
    own = {prefix + entry["path"] for entry in entries}
    others = []
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        others += [found["Key"] for found in page.get("Contents", ()) if found["Key"] not in own]
        if len(others) > _NAMED:
            break
    if others:
        raise Refused(
            f"s3://{bucket}/{prefix} holds other files ({', '.join(others[:_NAMED])} ...). Give an empty prefix."
        )
    try:
        found = client.get_object(Bucket=bucket, Key=prefix + MANIFEST)["Body"].read()
    except client.exceptions.NoSuchKey:
        return
    try:
        there = json.loads(found).get("release")
    except (ValueError, AttributeError):
        there = None
    if there != release:
        raise Refused(f"s3://{bucket}/{prefix} holds release {there}. Give an empty prefix.")


def _is_there(client: Any, bucket: str, prefix: str, entry: dict[str, Any]) -> bool:
    try:
        found = client.head_object(Bucket=bucket, Key=prefix + entry["path"])
    except ClientError as error:
        if error.response["Error"]["Code"] in ("404", "NoSuchKey"):
            return False
        raise
    return bool(
        found["ContentLength"] == entry["size"] and found["Metadata"].get("sha256") == entry["sha256"]
    )


def _check(client: Any, bucket: str, prefix: str, entry: dict[str, Any]) -> None:
    digest = hashlib.sha256()
    body = client.get_object(Bucket=bucket, Key=prefix + entry["path"])["Body"]
    for block in iter(lambda: body.read(_BLOCK), b""):
        digest.update(block)
    if digest.hexdigest() != entry["sha256"]:
        raise Refused(
            f"s3://{bucket}/{prefix}{entry['path']} is not what was sent (SHA-256 {digest.hexdigest()}, not"
            f" {entry['sha256']}). Delete it there and push again."
        )
