"""The two places where media are kept: the local disk, and a bucket of an object store."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from django.core.files.storage import storages

STORES = ("disk", "object store")


@dataclass(frozen=True)
class Store:
    """Where this test's media are. `environ`: what tells other processes of ours."""

    name: str
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def files(self) -> set[str]:
        """The keys of all files of `annotate.media`."""
        kept: Any = storages["default"]
        if self.name == "disk":
            root = Path(kept.path("assets"))
            return {f"assets/{path.relative_to(root)}" for path in root.rglob("*") if path.is_file()}
        return {found.key for found in kept.bucket.objects.filter(Prefix="assets/")}


def bucket(endpoint: str, name: str) -> dict[str, str]:
    """Environment variables by which Evenhand keeps media in this bucket."""
    return {
        "S3_BUCKET": name,
        "S3_ENDPOINT_URL": endpoint,
        "S3_REGION": "us-east-1",
        "S3_ACCESS_KEY": "test",
        "S3_SECRET_KEY": "test",
    }


def client(environ: dict[str, str]) -> Any:
    """boto3's own, for the store of these variables."""
    return boto3.client(
        "s3",
        endpoint_url=environ["S3_ENDPOINT_URL"],
        region_name=environ["S3_REGION"],
        aws_access_key_id=environ["S3_ACCESS_KEY"],
        aws_secret_access_key=environ["S3_SECRET_KEY"],
    )


def storage(environ: dict[str, str]) -> dict[str, Any]:
    """The entry of STORAGES that settings.py makes of these variables."""
    options = {
        "bucket_name": environ["S3_BUCKET"],
        "endpoint_url": environ["S3_ENDPOINT_URL"],
        "region_name": environ["S3_REGION"],
        "access_key": environ["S3_ACCESS_KEY"],
        "secret_key": environ["S3_SECRET_KEY"],
        "file_overwrite": False,
        "querystring_auth": True,
        "signature_version": "s3v4",
    }
    return {"BACKEND": "webapp.object_store.ObjectStore", "OPTIONS": options}


def emptied(name: str = "default") -> None:
    """Delete all that is in the bucket of the present storage."""
    kept: Any = storages[name]
    kept.bucket.objects.all().delete()
