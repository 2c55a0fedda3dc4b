"""What Django and browsers load of locale/. In the place of Django's own command, which needs gettext's programs."""

from typing import Any

from django.core.management.base import BaseCommand

from webapp.tongues import prepare


class Command(BaseCommand):
    help = "Make .mo files, and browsers' scripts in build/, of the .po files in locale/."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        prepare()
