"""The bucket of media, made where it is missing: an object store of one's own starts without any."""

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from django.core.files.storage import storages
from django.core.management.base import BaseCommand, CommandError

from webapp.object_store import ObjectStore

MADE_BY_OTHERS = ("BucketAlreadyOwnedByYou", "BucketAlreadyExists")


class Command(BaseCommand):
    help = "Make the bucket S3_BUCKET unless it is there."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        store = storages["default"]
        if not isinstance(store, ObjectStore):
            raise CommandError("S3_BUCKET is not set: media are kept in DATA_DIR.")
        client = store.connection.meta.client
        try:
            client.head_bucket(Bucket=store.bucket_name)
            self.stdout.write(f"Bucket {store.bucket_name} is there.")
            return
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("404", "NoSuchBucket"):
                raise CommandError(f"Bucket {store.bucket_name}: {error}") from None
        except BotoCoreError as error:
            raise CommandError(f"The object store does not answer: {error}") from None
        try:
            client.create_bucket(Bucket=store.bucket_name)
        except ClientError as error:
            if error.response["Error"]["Code"] not in MADE_BY_OTHERS:
                raise CommandError(f"Bucket {store.bucket_name}: {error}") from None
        self.stdout.write(f"Bucket {store.bucket_name} is made.")
