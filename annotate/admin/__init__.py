"""Django admin: what managers and superusers work with. One file a subject; every write is an action."""

from annotate.admin import (
    audit,
    crowd,
    invitations,
    judgments,
    logins,
    media,
    members,
    pairs,
    people,
    projects,
    queue,
    teams,
    work,
    writing,
)

__all__ = [
    "audit",
    "crowd",
    "invitations",
    "judgments",
    "logins",
    "media",
    "members",
    "pairs",
    "people",
    "projects",
    "queue",
    "teams",
    "work",
    "writing",
]
