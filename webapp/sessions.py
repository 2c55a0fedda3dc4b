"""Sessions in the database, and their users: the two rows that every request reads, by prepared statements."""

from typing import Any

from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.contrib.sessions.backends import db
from django.contrib.sessions.models import Session
from django.utils import timezone

from annotate.models import User
from annotate.prepared import fetch


class SessionStore(db.SessionStore):
    def _get_session_from_db(self) -> Session | None:
        """The row of this key, if it has not run out."""
        names = {"key": self.session_key, "now": timezone.now()}
        session = fetch(Session, "o.session_key = %(key)s AND o.expire_date > %(now)s", names)
        if session is None:
            self._session_key = None
        return session


class Accounts(ModelBackend):
    def authenticate(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Who has this name and password; superusers alone where others come through their provider."""
        user = super().authenticate(request, *args, **kwargs)
        return None if user and settings.OIDC_ONLY and not user.is_superuser else user

    def get_user(self, user_id: Any) -> User | None:
        user = fetch(User, "o.id = %(id)s", {"id": user_id})
        return user if user and self.user_can_authenticate(user) else None
