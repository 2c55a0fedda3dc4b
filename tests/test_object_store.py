"""Links into an object store: signed so that every store takes them, for the address that browsers use."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.paths import ROOT
from tests.stores import bucket, client

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
    s3 = client(bucket(s3_endpoint, "linked"))
    s3.create_bucket(Bucket="linked")
    url = link(
        tmp_path,
        "save",
        S3_BUCKET="linked",
        S3_ENDPOINT_URL=s3_endpoint,
        S3_PUBLIC_URL="https://media.example.org",
    )
    assert url.startswith("https://media.example.org/linked/assets/ab?")
    assert signature(url) == ("AWS4-HMAC-SHA256", "host", "60")
    stored = s3.get_object(Bucket="linked", Key="assets/ab")["Body"].read()
    assert stored == b"bytes"


def test_without_a_public_address_links_name_the_store_itself(tmp_path: Path) -> None:
    url = link(tmp_path)
    assert urlsplit(url).hostname == "evenhand.s3.amazonaws.com"
    assert signature(url) == ("AWS4-HMAC-SHA256", "host", "60")


def ensured(s3_endpoint: str, data_dir: Path, **settings: str) -> list[dict[str, Any]]:
    """The CORS rules of the bucket once `ensure_bucket` has run with these settings."""
    environ = {
        "PATH": os.environ["PATH"],
        "DATA_DIR": str(data_dir),
        **bucket(s3_endpoint, "rules"),
        **settings,
    }
    command = [sys.executable, "manage.py", "ensure_bucket"]
    subprocess.run(command, env=environ, cwd=ROOT, check=True, timeout=60, capture_output=True)
    rules: list[dict[str, Any]] = client(environ).get_bucket_cors(Bucket="rules")["CORSRules"]
    return rules


def test_scripts_of_our_pages_alone_may_read_from_the_bucket(tmp_path: Path, s3_endpoint: str) -> None:
    (ours,) = ensured(s3_endpoint, tmp_path)
    assert ours["AllowedMethods"] == ["GET", "HEAD"]
    assert {"http://localhost", "http://localhost:*"} <= set(ours["AllowedOrigins"])
    # Somebody's own rule stays; ours follows the settings, and stands there once.
    others = {"ID": "theirs", "AllowedMethods": ["GET"], "AllowedOrigins": ["https://else.example.org"]}
    s3 = client(bucket(s3_endpoint, "rules"))
    s3.put_bucket_cors(Bucket="rules", CORSConfiguration={"CORSRules": [ours, others]})
    settings = {"HTTPS": "true", "ALLOWED_HOSTS": "eval.example.org,.lab.example.org"}
    for _ in range(2):
        rules = {rule["ID"]: rule for rule in ensured(s3_endpoint, tmp_path, **settings)}
        assert set(rules) == {"theirs", "evenhand"}
        assert rules["theirs"]["AllowedOrigins"] == others["AllowedOrigins"]
        assert rules["evenhand"]["AllowedOrigins"] == [
            "https://eval.example.org",
            "https://lab.example.org",
            "https://*.lab.example.org",
        ]
