"""The interface's messages, gathered from the sources into locale/. In the place of Django's own, which needs gettext's programs."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from webapp.tongues import gather


class Command(BaseCommand):
    help = "Bring the .po files in locale/ up to date with the sources; say what waits for a translator."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        for path, waiting in gather().items():
            told = f"{waiting} to be translated" if waiting else "all translated"
            self.stdout.write(f"{path.relative_to(settings.BASE_DIR)}: {told}")
