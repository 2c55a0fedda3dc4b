"""Withdrawal by the annotators themselves: what will happen, told before it is asked for, and a password."""

from django.contrib import messages
from django.contrib.auth import authenticate
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from annotate.access import Unknown
from annotate.actions.withdrawal import withdraw_myself
from annotate.models import User, Withdrawal
from annotate.queries import annotator_in, own_extent


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
@sensitive_post_parameters("password")
def withdraw(request: HttpRequest, slug: str) -> HttpResponse:
    """Also for who is no longer a member: what they judged is theirs to take back."""
    user = request.user
    assert isinstance(user, User)
    try:
        annotator = annotator_in(user, slug)
    except Unknown as error:
        raise Http404(str(error)) from error
    project, problem = annotator.project, ""
    if request.method == "POST":
        if _is_sure(request, user, slug):
            policy = withdraw_myself(user=user, project=project)
            told = (
                _("You have withdrawn from %(project)s. What you judged there is deleted.")
                if policy == Withdrawal.ERASE
                else _(
                    "You have withdrawn from %(project)s. Nothing ties what you judged there to you any more."
                )
            )
            messages.success(request, told % {"project": project.name})
            return HttpResponseRedirect(reverse("home"))
        problem = _("That is not it. Nothing was changed.")
    context = {
        "project": project,
        "erases": project.withdrawal == Withdrawal.ERASE,
        "extent": own_extent(annotator),
        "by_password": user.has_usable_password(),
        "problem": problem,
    }
    return render(request, "withdraw.html", context, status=400 if problem else 200)


def _is_sure(request: HttpRequest, user: User, slug: str) -> bool:
    """By the password, guarded against guessing as a login is; by the project's short name where there is none."""
    typed = request.POST.get("password", "")
    if not user.has_usable_password():
        return typed.strip() == slug
    return authenticate(request, username=user.username, password=typed) == user
