"""What can be done to one row besides editing it: a button on its page, a page that asks, and an action behind it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from annotate.access import Deed, Denied, Unknown, may
from annotate.actions.jobs import Refused
from annotate.actions.queue import Conflict
from annotate.admin.base import ScopedAdmin
from annotate.admin_site import signed_in


@dataclass(frozen=True)
class Act:
    """`run(request, row, cleaned form data)` calls an action and says, or returns where to go, what came of it."""

    name: str
    label: str
    explain: str
    run: Callable[[HttpRequest, Any, dict[str, Any]], str | HttpResponse]
    form: Callable[..., forms.Form] = forms.Form
    offered: Callable[[Any], bool] = lambda row: True
    # What of this very row is concerned, told on the page that asks.
    tells: Callable[[Any], Sequence[str]] = lambda row: ()


class ActingAdmin(ScopedAdmin):
    """An admin with acts, for who manages the row's project. Form classes that take `row` are told which one they are
    about.
    """

    acts: tuple[Act, ...] = ()
    change_form_template = "admin/annotate/acting_change_form.html"

    def get_urls(self) -> list[URLPattern]:
        opts = self.opts
        act = path(
            "<str:object_id>/act/<slug:name>/",
            self.admin_site.admin_view(self.act_view),
            name=f"{opts.app_label}_{opts.model_name}_act",
        )
        return [act, *super().get_urls()]

    def page_of(self, row: Any) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[row.pk])

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        row = kwargs.get("obj")
        context["acts"] = self.acts_on(request, row) if row else []
        return super().render_change_form(request, context, *args, **kwargs)

    def acts_on(self, request: HttpRequest, row: Any) -> list[tuple[str, str]]:
        """(label, URL) of what the user can do to the row now."""
        if not may(signed_in(request), Deed.MANAGE, self.project_of(row)):
            return []
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_act"
        return [(act.label, reverse(name, args=[row.pk, act.name])) for act in self.acts if act.offered(row)]

    def act_view(self, request: HttpRequest, object_id: str, name: str) -> HttpResponse:
        act = next((act for act in self.acts if act.name == name), None)
        row = self.get_object(request, object_id)
        if act is None or row is None or not self.has_view_permission(request, row):
            raise Http404("There is no such thing for you.")
        if not may(signed_in(request), Deed.MANAGE, self.project_of(row)):
            raise PermissionDenied("What can be done here is for who manages the project.")
        posted = (request.POST, request.FILES) if request.method == "POST" else ()
        form = act.form(*posted, **({"row": row} if act.form is not forms.Form else {}))
        if form.is_valid():
            try:
                outcome = act.run(request, row, form.cleaned_data)
            except Denied as error:
                raise PermissionDenied(str(error)) from error
            except Unknown as error:
                raise Http404(str(error)) from error
            except ValidationError as error:
                form.add_error(None, error.messages)
            except (Refused, Conflict) as error:
                form.add_error(None, str(error))
            else:
                if isinstance(outcome, str):
                    messages.success(request, outcome)
                    outcome = HttpResponseRedirect(self.page_of(row))
                return outcome
        context = {
            **self.admin_site.each_context(request),
            "title": act.label,
            "subtitle": str(row),
            "opts": self.opts,
            "act": act,
            "tells": act.tells(row),
            "row": row,
            "form": form,
            "back": self.page_of(row),
        }
        return TemplateResponse(request, "admin/annotate/act.html", context)
