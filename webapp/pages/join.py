"""Getting into a project by a link. The only page on which somebody makes an account for themselves."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.password_validation import password_validators_help_text_html
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from annotate.access import Unknown, outranks, role_of
from annotate.actions.invitations import accept_invitation, sign_up
from annotate.members import open_invitations
from annotate.models import Invitation, Role, User

_MAY = {
    Role.ANNOTATOR: gettext_lazy("You will judge pairs of responses there, as annotator."),
    Role.REVIEWER: gettext_lazy("You will see there what everybody judged, as reviewer."),
    Role.MANAGER: gettext_lazy("You will run it, as manager."),
}


class SignUpForm(forms.Form):
    username = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=150,
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none"}),
        help_text=gettext_lazy("By which you log in from now on: letters, digits and @/./+/-/_ only."),
    )
    password = forms.CharField(
        label=gettext_lazy("Password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    again = forms.CharField(
        label=gettext_lazy("Password once more"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if "password" in data and "again" in data and data["password"] != data["again"]:
            self.add_error("again", _("The two passwords differ."))
        return data


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@sensitive_post_parameters()
def join(request: HttpRequest, token: str) -> HttpResponse:
    """What the link leads into; by POST, in. A link that opens nothing gets one and the same page, whatever the reason."""
    invitation = open_invitations(token).select_related("project").first()
    if invitation is None:
        return _gone(request)
    form = SignUpForm(request.POST if request.method == "POST" else None)
    if request.method == "POST":
        try:
            if _came_in(request, token, form):
                messages.success(
                    request, _("You are in: %(project)s.") % {"project": invitation.project.name}
                )
                return HttpResponseRedirect(reverse("home"))
        except Unknown:  # the last use went to somebody else this instant
            return _gone(request)
    return render(request, "join.html", _shown(request, invitation, form))


def _came_in(request: HttpRequest, token: str, form: SignUpForm) -> bool:
    """Whether the user is in now; else the form tells what is wrong with it.

    Raises:
        Unknown: the link opens nothing any more.
    """
    if isinstance(request.user, User):
        accept_invitation(user=request.user, token=token)
        return True
    if not form.is_valid():
        return False
    given = form.cleaned_data
    try:
        user = sign_up(token=token, username=given["username"], password=given["password"])
    except ValidationError as error:
        _tell(form, error)
        return False
    login(request, user, backend="webapp.sessions.Accounts")
    return True


def _tell(form: SignUpForm, error: ValidationError) -> None:
    if not hasattr(error, "error_dict"):  # of the password's validators
        form.add_error("password", error)
        return
    for field, errors in error.error_dict.items():
        form.add_error(field if field in form.fields else None, errors)


def _shown(request: HttpRequest, invitation: Invitation, form: SignUpForm) -> dict[str, Any]:
    role = Role(invitation.role)
    has = role_of(request.user, invitation.project) if isinstance(request.user, User) else None
    return {
        "project": invitation.project,
        "may": _MAY[role],
        "member": has is not None and not outranks(role, has),
        "form": form,
        "password_help": password_validators_help_text_html(),
    }


def _gone(request: HttpRequest) -> HttpResponse:
    return render(request, "join_gone.html", status=404)
