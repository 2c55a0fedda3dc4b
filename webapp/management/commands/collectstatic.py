"""Static files, with those that are made of others: browsers' scripts and catalogs. In the place of Django's own command."""

from typing import Any

from django.contrib.staticfiles.management.commands import collectstatic

from webapp import bundles, tongues


class Command(collectstatic.Command):
    def handle(self, **options: Any) -> str | None:
        tongues.prepare()
        bundles.prepare()
        return super().handle(**options)
