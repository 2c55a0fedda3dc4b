"""All that is stored about whoever is logged in, to take along."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, StreamingHttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from annotate.models import User
from annotate.own_data import archive


@require_safe
@login_required
@never_cache
def download(request: HttpRequest) -> StreamingHttpResponse:
    """A ZIP of JSON, made while it is sent."""
    assert isinstance(request.user, User)
    return StreamingHttpResponse(
        archive(request.user) if request.method == "GET" else (),
        content_type="application/zip",
        headers={"Content-Disposition": 'attachment; filename="evenhand-my-data.zip"'},
    )
