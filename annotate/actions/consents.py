"""Consent: a new version of the text, and the answers of annotators. Both are append-only."""

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from annotate import audit
from annotate.access import Deed, require
from annotate.actions.people import annotator_for
from annotate.actions.queue import Conflict, lock_annotator
from annotate.consents import current_text
from annotate.models import Consent, ConsentText, Project, User
from annotate.models.consent import MAX_CONSENT


@transaction.atomic
def make_consent_text(*, by: User | None, project: Project, text: str) -> ConsentText:
    """Ask everybody anew, from their next claim on, to agree to this text (Markdown). Empty: nothing is asked any more.

    The version before it and the answers to it stay as they are. The same text again is no new version.

    Raises:
        Denied, Unknown: the user does not manage the project.
        ValidationError: it is too long.
    """
    require(by, Deed.MANAGE, project)
    # Two managers at once get two versions, one after the other.
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    text = text.replace("\r\n", "\n").strip()
    newest = ConsentText.objects.filter(project=project).order_by("-version").first()
    if newest and newest.text == text:
        return newest
    if not newest and not text:
        raise ValidationError({"text": "Write what annotators are to agree to."})
    if len(text) > MAX_CONSENT:
        raise ValidationError({"text": f"At most {MAX_CONSENT:,} characters; these are {len(text):,}."})
    last = ConsentText.objects.filter(project=project).aggregate(last=Max("version"))["last"] or 0
    made = ConsentText(project=project, version=last + 1, text=text, made_by=by)
    made.full_clean()
    made.save()
    audit.record(by, "make consent text", made, project, version=made.version, characters=len(text))
    return made


@transaction.atomic
def answer_consent(*, user: User, project: Project, version: int, given: bool) -> Consent:
    """Note that the user agrees to a version of the project's consent text, or declines it. The last answer holds.

    The audit row names the text and not the pseudonym: the trail must not tie accounts to pseudonyms.

    Raises:
        Unknown, Denied: the user may not annotate here.
        Conflict: another version is asked for by now, or none (`consent_changed`).
    """
    require(user, Deed.ANNOTATE, project)
    annotator = annotator_for(user, project)
    # Claims look after this lock: none is given on a consent that was taken back.
    lock_annotator(annotator)
    text = current_text(project)
    if text is None or text.version != version:
        raise Conflict("consent_changed", _("There is a newer text. Read it, then decide again."))
    before = Consent.objects.filter(annotator=annotator, text=text).order_by("-pk").first()
    if before and before.given == given:
        return before
    consent = Consent.objects.create(annotator=annotator, text=text, given=given)
    audit.record(user, "give consent" if given else "decline consent", text, project, version=version)
    return consent
