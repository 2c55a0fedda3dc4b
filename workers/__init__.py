"""Background work. Importing the app makes it current in every process: the domain sends to it by name."""

from workers.celery import app

__all__ = ["app"]
