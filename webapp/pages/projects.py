"""The project that a page is about."""

from django.conf import settings
from django.http import Http404, HttpRequest
from django.utils import translation

from annotate.access import Deed, Denied, Unknown, require
from annotate.models import Project, User
from annotate.queries import project_for


def project_or_404(request: HttpRequest, slug: str, deed: Deed) -> Project:
    """The project of that name, for who may do this deed in it; to everybody else there is none."""
    assert isinstance(request.user, User)
    try:
        project = project_for(request.user, slug)
        require(request.user, deed, project)
    except (Unknown, Denied) as error:
        raise Http404(str(error)) from error
    return project


def staff_project(request: HttpRequest, slug: str, deed: Deed) -> Project:
    """The same for a page that managers and reviewers alone see, which is in English: no page is in two languages."""
    project = project_or_404(request, slug, deed)
    translation.activate(settings.LANGUAGE_CODE)
    return project
