"""Participants of studies on Prolific: the link for them, and how they begin.

What protects what. Prolific adds three ids to the link, and anybody can write ids: none of them proves anything.

- The key in the link, made by a manager for Prolific alone, lets people begin. Who does not have it finds nothing here,
  whatever ids they write. All participants of a study have it: it keeps strangers out, not one from another.
- A secret in a signed, http-only cookie of the browser in which somebody began is what their account is reached by.
  Who writes another participant's ids has not that cookie: they are refused, and nothing of the other is shown.
- The account has no password and a random name; it is an annotator in this one project.
- The completion code is one for all, as it is on Prolific: whom to pay tells the list of arrivals.

The same participant in another study of the project is the same person, and goes on under the same account: two
accounts could label one comparison twice.
"""

import re
import secrets

from django.core.exceptions import ValidationError
from django.db import transaction

from annotate import audit
from annotate.access import Deed, Denied, Unknown, require
from annotate.actions.people import annotator_for, create_user, new_pseudonym
from annotate.members import open_to_crowd, secret_sha256
from annotate.models import Annotator, CrowdArrival, Membership, Project, Role, User

_ID = re.compile(r"[0-9A-Za-z]{8,64}")


class Elsewhere(Exception):
    """This participant has begun in another browser, or somebody else writes their ids."""


@transaction.atomic
def make_crowd_link(*, by: User | None, project: Project) -> str:
    """A new key for the link that goes into Prolific. Its SHA-256 is kept; the link before opens nothing any more."""
    require(by, Deed.MANAGE, project)
    key = secrets.token_urlsafe(24)
    Project.objects.filter(pk=project.pk).update(crowd_key_sha256=secret_sha256(key))
    audit.record(by, "make crowd link", project, project)
    return key


def check_ids(*ids: str) -> None:
    """
    Raises:
        ValidationError: one of them is no id: 8 to 64 letters and digits (Prolific's have 24).
    """
    if not all(_ID.fullmatch(one) for one in ids):
        raise ValidationError("The link lacks what Prolific adds to it: PROLIFIC_PID, STUDY_ID, SESSION_ID.")


@transaction.atomic
def begin(*, slug: str, key: str, participant: str, study: str, session: str, browser: str) -> CrowdArrival:
    """Let a participant begin, or go on: their account, made on first use, is a member from then on.

    `browser` is the secret of the cookie; of who has begun it must be the one from then.

    Raises:
        Unknown: the key opens no project now.
        ValidationError: the ids are malformed.
        Elsewhere
        Denied: they were taken out of the project, or their account is closed.
    """
    check_ids(participant, study, session)
    # The project's row makes two requests of one participant wait for each other.
    project = open_to_crowd(slug, key).select_for_update(no_key=True).first()
    if project is None:
        raise Unknown("This link opens nothing.")
    known = CrowdArrival.objects.filter(project=project, participant=participant)
    last = known.select_related("user").order_by("-pk").first()
    if last is None:
        user = create_user(by=None, username=f"crowd-{new_pseudonym()}", password=None)
        Membership.objects.create(project=project, user=user, role=Role.ANNOTATOR, own_role=Role.ANNOTATOR)
    else:
        user = last.user
        if last.browser_sha256 not in ("", secret_sha256(browser)):
            raise Elsewhere("You have begun in another browser.")
        if not (user.is_active and Membership.objects.filter(project=project, user=user).exists()):
            raise Denied("You take part in this project no more.")
        known.update(browser_sha256=secret_sha256(browser))
        if found := known.filter(study=study).select_related("user", "project").first():
            return found
    annotator = Annotator.objects.select_for_update(no_key=True).get(pk=annotator_for(user, project).pk)
    before = max(annotator.judged_pairs, annotator.crowd_until or 0)
    arrival = CrowdArrival.objects.create(
        project=project,
        user=user,
        participant=participant,
        study=study,
        session=session,
        browser_sha256=secret_sha256(browser),
        pairs=project.crowd_pairs,
        judged_before=before,
    )
    annotator.crowd_until = before + arrival.pairs
    annotator.save(update_fields=["crowd_until"])
    # Without the participant's id: audit rows outlive a withdrawal.
    audit.record(user, "begin crowd study", arrival, project, pairs=arrival.pairs)
    return arrival


@transaction.atomic
def let_in_elsewhere(*, by: User | None, arrival: CrowdArrival) -> None:
    """The next browser that comes with this participant's ids is taken for theirs. For who has lost their cookie."""
    require(by, Deed.MANAGE, arrival.project)
    CrowdArrival.objects.filter(project=arrival.project, participant=arrival.participant).update(
        browser_sha256=""
    )
    audit.record(by, "let in elsewhere", arrival, arrival.project)
