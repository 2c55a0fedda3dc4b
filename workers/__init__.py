"""Background work. Importing the app here makes it current in every process, so that the domain can send by name."""

from workers.celery import app

__all__ = ["app"]
