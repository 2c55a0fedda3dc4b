"""The reasons of the rule book in the words that annotators are told."""

import math
from datetime import UTC, datetime, time, timedelta

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from annotate.rules import Reason, Situation


def in_words(reason: Reason, situation: Situation, now: datetime, pause_reason: str = "") -> str:
    """Why somebody is asked nothing now (`rules.why_not_now`), in whole sentences."""
    match reason:
        case Reason.PAUSED:
            return paused_in_words(pause_reason)
        case Reason.PROJECT_PAUSED:
            return _("The project is paused.")
        case Reason.PROJECT_CLOSED:
            return _("The project is closed.")
        case Reason.NO_CONSENT:
            return _("This project asks for your consent first.")
        case Reason.HAND_FULL:
            message = ngettext(
                "You hold a pair already: judge or skip it first.",
                "You hold %(held)s pairs already: judge or skip one of them first.",
                situation.held,
            )
            return message % {"held": situation.held}
        case Reason.NOT_QUALIFIED:
            return _("Training and quiz come first. They need the network.")
        case Reason.AGREED_DONE:
            return _("You have judged all the pairs that were agreed. Thank you!")
        case Reason.DAY_DONE:
            midnight = datetime.combine(now.astimezone(UTC).date() + timedelta(days=1), time(), UTC)
            message = ngettext(
                "Enough for today: this project asks one person for %(most)s pair a day, so that verdicts stay even. "
                "Thank you! New ones come at midnight UTC, in about %(hours)s h.",
                "Enough for today: this project asks one person for %(most)s pairs a day, so that verdicts stay even. "
                "Thank you! New ones come at midnight UTC, in about %(hours)s h.",
                situation.most_a_day,
            )
            hours = math.ceil((midnight - now) / timedelta(hours=1))
            return message % {"most": situation.most_a_day, "hours": hours}
        case Reason.SHARE_DONE:
            message = _(
                "That is all for you here: no one person judges more than %(percent)s of this project's pairs, so that "
                "many are heard. Thank you!"
            )
            return message % {"percent": f"{100 * situation.most_share:g}%"}
    raise AssertionError(reason)


def not_for_you(names: list[str]) -> str:
    """That pairs are left for others. `names`: of languages and expertises that would let the annotator judge some."""
    if not names:
        return _("You have judged all there is for you. What is left here is for other groups of people.")
    told = _(
        "You have judged all there is for you. What is left here is for people with: %(names)s. If that is you, tell "
        "who runs the project."
    )
    return told % {"names": ", ".join(names)}


def paused_in_words(reason: str) -> str:
    told = _("You are paused in this project. What you judged stays, and what is on its way is taken.")
    return f"{told} {_('The reason: %(reason)s') % {'reason': reason}}" if reason else told
