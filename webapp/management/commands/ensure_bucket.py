"""The bucket of media, made where it is missing: an object store of one's own starts without any.

Sounds, 3D models, peaks and frames are read by scripts, which a browser lets read from elsewhere what the bucket's CORS
rules allow. One of these is ours; the others are left alone.
"""

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.core.files.storage import storages
from django.core.management.base import BaseCommand, CommandError

from webapp.object_store import RULE, ObjectStore, reading_rule

MADE_BY_OTHERS = ("BucketAlreadyOwnedByYou", "BucketAlreadyExists")


class Command(BaseCommand):
    help = "Make the bucket S3_BUCKET unless it is there, and let the scripts of our pages read from it."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        store = storages["default"]
        if not isinstance(store, ObjectStore):
            raise CommandError("S3_BUCKET is not set: media are kept in DATA_DIR.")
        client = store.connection.meta.client
        self._make(client, store.bucket_name)
        self._let_pages_read(client, store.bucket_name)

    def _make(self, client: Any, bucket: str) -> None:
        try:
            client.head_bucket(Bucket=bucket)
            self.stdout.write(f"Bucket {bucket} is there.")
            return
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("404", "NoSuchBucket"):
                raise CommandError(f"Bucket {bucket}: {error}") from None
        except BotoCoreError as error:
            raise CommandError(f"The object store does not answer: {error}") from None
        try:
            client.create_bucket(Bucket=bucket)
        except ClientError as error:
            if error.response["Error"]["Code"] not in MADE_BY_OTHERS:
                raise CommandError(f"Bucket {bucket}: {error}") from None
        self.stdout.write(f"Bucket {bucket} is made.")

    def _let_pages_read(self, client: Any, bucket: str) -> None:
        """A store without such rules lets everybody read, or has them set by other means: we say so and go on."""
        rule = reading_rule(settings.ALLOWED_HOSTS, https=settings.HTTPS)
        try:
            rules = _rules(client, bucket)
            others = [other for other in rules if other.get("ID") != RULE]
            if [*others, rule] != rules:
                client.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [*others, rule]})
        except ClientError as error:
            self.stderr.write(
                f"Bucket {bucket} takes no CORS rule of ours ({error}). See to it that pages of"
                f" {', '.join(rule['AllowedOrigins'])} may GET from it: sounds and 3D models are read by scripts."
            )


def _rules(client: Any, bucket: str) -> list[dict[str, Any]]:
    try:
        rules: list[dict[str, Any]] = client.get_bucket_cors(Bucket=bucket)["CORSRules"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchCORSConfiguration":
            return []
        raise
    return rules
