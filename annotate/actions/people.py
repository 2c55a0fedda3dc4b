"""Accounts, pseudonyms and withdrawal."""

import secrets
from typing import Any

from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from annotate import audit
from annotate.access import Deed, Denied, require
from annotate.models import Annotator, Project, User

# Read aloud and typed without mistakes: no 0 and o, no 1 and l.
_LETTERS = "23456789abcdefghijkmnpqrstuvwxyz"


def new_pseudonym() -> str:
    """A random name that says nothing of its bearer."""
    return "".join(secrets.choice(_LETTERS) for _ in range(10))


def annotator_for(user: User, project: Project) -> Annotator:
    """The user's pseudonym in the project, made on first use; two requests at once get the same one.

    It needs no audit row: its own row says whose it is and since when, and is gone after a withdrawal.

    Raises:
        Unknown, Denied: a new one is only made for who may annotate here.
    """
    found = Annotator.objects.filter(project=project, user=user).first()
    if found:
        return found
    require(user, Deed.ANNOTATE, project)
    annotator, _ = Annotator.objects.get_or_create(
        project=project, user=user, defaults={"pseudonym": new_pseudonym()}
    )
    return annotator


@transaction.atomic
def create_user(
    *, by: User | None, username: str, password: str | None, is_superuser: bool = False, **fields: Any
) -> User:
    """A new account, without a password one that nobody can use. Superusers alone may make one.

    Raises:
        Denied: `by` is no superuser.
        ValidationError: the name is taken or malformed, or the password too weak.
    """
    if by is not None and not by.is_superuser:
        raise Denied("To make accounts, one must be a superuser.")
    user = User(username=username, is_superuser=is_superuser, is_staff=is_superuser, **fields)
    if password is not None:
        validate_password(password, user)
    user.set_password(password)
    user.full_clean()
    user.save()
    audit.record(by, "create user", user, is_superuser=is_superuser)
    return user


@transaction.atomic
def unlock_login(*, by: User | None, attempt: AccessAttempt) -> None:
    """Forget failed logins of a name or address, so that it may try again at once. Superusers alone may.

    Raises:
        Denied: `by` is no superuser.
    """
    if by is not None and not by.is_superuser:
        raise Denied("To unlock a login, one must be a superuser.")
    audit.record(
        by, "unlock login", attempt, username=attempt.username, failures=attempt.failures_since_start
    )
    attempt.delete()


@transaction.atomic
def choose_language(*, user: User, language: str) -> None:
    """Note in which language an account wants to see the interface, wherever it logs in.

    Raises:
        ValidationError: it is none of settings.LANGUAGES.
    """
    if language not in dict(settings.LANGUAGES):
        raise ValidationError({"language": f"The interface does not speak {language!r}."})
    if User.objects.filter(pk=user.pk).exclude(language=language).update(language=language):
        audit.record(user, "choose language", user, language=language)
    user.language = language
