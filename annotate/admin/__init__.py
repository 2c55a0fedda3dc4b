"""Django admin: what managers and superusers work with. One file a subject; every write is an action."""

from annotate.admin import audit, judgments, logins, media, pairs, people, projects, queue, work

__all__ = ["audit", "judgments", "logins", "media", "pairs", "people", "projects", "queue", "work"]
