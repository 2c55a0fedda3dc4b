"""Links into an object store: signed so that every store takes them, for the address that browsers use."""

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import boto3

from tests.paths import ROOT

STORE = {"S3_BUCKET": "evenhand", "S3_REGION": "us-east-1", "S3_ACCESS_KEY": "key", "S3_SECRET_KEY": "secret"}
PROGRAM = """
import django; django.setup()
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
import sys
if "save" in sys.argv: default_storage.save("assets/ab", ContentFile(b"bytes"))
print(default_storage.url("assets/ab", expire=60))
"""


def link(data_dir: Path, *args: str, **settings: str) -> str:
    """The link that an installation with these settings hands out."""
    environ = {
        "PATH": os.environ["PATH"],
        "DATA_DIR": str(data_dir),
        "DJANGO_SETTINGS_MODULE": "webapp.settings",
    }
    said = subprocess.run(
        [sys.executable, "-c", PROGRAM, *args],
        env=environ | STORE | settings,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return said.stdout.strip()


def signature(url: str) -> tuple[str, str, str]:
    """Algorithm, signed headers and lifetime of a link."""
    query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    return query["X-Amz-Algorithm"], query["X-Amz-SignedHeaders"], query["X-Amz-Expires"]


def test_links_of_the_public_address_name_it_and_are_signed_for_it(tmp_path: Path, s3_endpoint: str) -> None:
    client = boto3.client(
        "s3",
        endpoint_url=s3_endpoint,
        aws_access_key_id="key",
        aws_secret_access_key="secret",
        region_name="us-east-1",
    )
    client.create_bucket(Bucket="evenhand")
    url = link(tmp_path, "save", S3_ENDPOINT_URL=s3_endpoint, S3_PUBLIC_URL="https://media.example.org")
    assert url.startswith("https://media.example.org/evenhand/assets/ab?")
    assert signature(url) == ("AWS4-HMAC-SHA256", "host", "60")
    stored = client.get_object(Bucket="evenhand", Key="assets/ab")["Body"].read()
    assert stored == b"bytes"


def test_without_a_public_address_links_name_the_store_itself(tmp_path: Path) -> None:
    url = link(tmp_path)
    assert urlsplit(url).hostname == "evenhand.s3.amazonaws.com"
    assert signature(url) == ("AWS4-HMAC-SHA256", "host", "60")
