"""Media for the eyes of those who may see them.

An annotator reaches media through a claim of their own only, by the side that they see. Nothing in the answer
tells the sides apart or ties a file to another claim: no name, no validator, no date; only what was made for viewing
is served, which is of one type whatever the original was. From an object store the browser fetches the file itself, by a link that soon dies.
"""

import re
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.core.files import File
from django.core.files.storage import default_storage
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.views.decorators.http import require_safe

from annotate.access import Deed, may
from annotate.modalities import HOUSES
from annotate.models import Asset, Claim, Comparison, Derivative, Modality, Pair, Project, User
from annotate.queries import VISIBLE_IMPORT

LINK_SECONDS = 600  # how long a link into the object store lives
KEEP_SECONDS = 300  # how long a browser may keep an answer: less than that
BLOCK = 256 * 1024  # bytes read at once

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_HEADERS = {
    "Cache-Control": f"private, max-age={KEEP_SECONDS}",
    "Content-Disposition": "inline",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


@require_safe
@login_required
def of_claim(request: HttpRequest, claim_id: UUID, slot: str, kind: str) -> HttpResponseBase:
    """A medium of the user's own claim, by slot: a, b, p0, p1 ... Anything else does not exist."""
    claim = (
        Claim.objects.select_related("annotator__project", "pair__response1__asset", "pair__response2__asset")
        .filter(pk=claim_id, annotator__user=request.user.pk)
        .first()
    )
    if claim is None:
        raise Http404("There is no such claim of yours.")
    _require(request, Deed.ANNOTATE, claim.annotator.project)
    asset = _in_slot(claim.pair, slot, flip=claim.flip)
    if asset is None:
        raise Http404("Nothing stands there.")
    return _serve(request, asset, kind)


@require_safe
@login_required
def of_comparison(request: HttpRequest, comparison_id: int, slot: str, kind: str) -> HttpResponseBase:
    """A medium of a comparison, by slot, for who reviews in its project; response 1 stands in slot a."""
    comparison = (
        Comparison.objects.filter(VISIBLE_IMPORT)
        .select_related("pair__project", "pair__response1__asset", "pair__response2__asset")
        .filter(pk=comparison_id)
        .first()
    )
    if comparison is None:
        raise Http404("There is no such comparison.")
    _require(request, Deed.REVIEW, comparison.pair.project)
    asset = _in_slot(comparison.pair, slot, flip=False)
    if asset is None:
        raise Http404("Nothing stands there.")
    return _serve(request, asset, kind)


@require_safe
@login_required
def of_asset(request: HttpRequest, asset_id: int, kind: str) -> HttpResponseBase:
    """A preview of any asset, for those who may see judgments in its project."""
    asset = Asset.objects.select_related("project").filter(pk=asset_id).first()
    if asset is None:
        raise Http404("There is no such asset.")
    _require(request, Deed.SEE_JUDGMENTS, asset.project)
    return _serve(request, asset, kind)


def _require(request: HttpRequest, deed: Deed, project: Project) -> None:
    assert isinstance(request.user, User)
    if not may(request.user, deed, project):
        raise Http404("There is no such medium for you.")


def _in_slot(pair: Pair, slot: str, *, flip: bool) -> Asset | None:
    """What is seen there; the sides are exchanged in a flipped claim."""
    if slot in ("a", "b"):
        first = (slot == "a") != flip
        return (pair.response1 if first else pair.response2).asset
    if re.fullmatch(r"p\d{1,3}", slot):
        row = pair.prompt.prompt_assets.select_related("asset")[int(slot[1:]) :].first()
        return row.asset if row else None
    return None


def _serve(request: HttpRequest, asset: Asset, kind: str) -> HttpResponseBase:
    file = _derivative(asset, kind)
    try:
        default_storage.path(file.key)
    except NotImplementedError:  # an object store
        return _link(file)
    return _bytes(request, file)


def _derivative(asset: Asset, kind: str) -> Derivative:
    """What was made of the asset. The original carries metadata, and need not play anywhere: it is never served."""
    if kind not in HOUSES[Modality(asset.modality)].KINDS:
        raise Http404(f"There is no {kind[:20]!r} of {asset.get_modality_display()}.")
    found = asset.derivatives.filter(kind=kind).first()
    if found is None:
        raise Http404("This medium is not prepared.")
    return found


def _link(file: Derivative) -> HttpResponse:
    url = default_storage.url(  # type: ignore[call-arg]  # as S3Storage has it
        file.key,
        parameters={
            "ResponseContentType": file.media_type,
            "ResponseContentDisposition": "inline",
            "ResponseCacheControl": _HEADERS["Cache-Control"],
        },
        expire=LINK_SECONDS,
    )
    return HttpResponseRedirect(url, headers={"Cache-Control": _HEADERS["Cache-Control"]})


def _bytes(request: HttpRequest, file: Derivative) -> HttpResponseBase:
    """The file, or the one range of it that is asked for. Without validators no If-Range can match: it is whole."""
    wanted = request.headers.get("Range", "") if "If-Range" not in request.headers else ""
    found = _RANGE.fullmatch(wanted.strip())
    start, end = 0, file.size - 1
    if found and (found[1] or found[2]):
        start, end = _bounds(found[1], found[2], file.size)
        if start > end:
            return HttpResponse(
                status=416,
                headers={**_HEADERS, "Content-Range": f"bytes */{file.size}"},
                content_type=file.media_type,
            )
    else:
        found = None  # several ranges, or another unit: the whole file is a right answer
    try:
        source = default_storage.open(file.key)
    except FileNotFoundError as error:
        raise Http404("The file is missing in the media store.") from error
    response = StreamingHttpResponse(
        _blocks(source, start, end),
        status=206 if found else 200,
        content_type=file.media_type,
        headers=_HEADERS,
    )
    response["Accept-Ranges"] = "bytes"
    response["Content-Length"] = str(end - start + 1)
    if found:
        response["Content-Range"] = f"bytes {start}-{end}/{file.size}"
    return response


def _bounds(first: str, last: str, size: int) -> tuple[int, int]:
    """First and last byte of a range; the first beyond the last where nothing of it is there."""
    if not first:
        return (max(size - int(last), 0), size - 1) if int(last) else (size, size - 1)
    end = min(int(last), size - 1) if last else size - 1
    return (int(first), end) if int(first) < size and int(first) <= end else (size, size - 1)


def _blocks(source: "File[Any]", start: int, end: int) -> Iterator[bytes]:
    with source:
        source.seek(start)
        left = end - start + 1
        while left > 0 and (block := source.read(min(BLOCK, left))):
            left -= len(block)
            yield block
