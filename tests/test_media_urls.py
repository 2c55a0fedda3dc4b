"""Media URLs: who may fetch what, in ranges, without a word that tells the sides apart."""

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.http import HttpResponse
from django.test import Client

from annotate.actions.people import annotator_for
from annotate.actions.queue import claim_next
from annotate.models import Asset, Claim, Derivative, Modality, Project, Role, User
from tests.browser.judging import make_image, picture
from tests.factories import make_asset, make_comparison, make_member, make_pair, make_project, make_user
from tests.stores import Store

pytestmark = pytest.mark.django_db

FIRST, SECOND, ASKED = picture((200, 30, 30)), picture((30, 160, 60), size=(64, 48)), picture((30, 30, 200))


@pytest.fixture
def project() -> Project:
    return make_project()


@pytest.fixture
def user(project: Project) -> User:
    return make_member(project)


@pytest.fixture
def claim(project: Project, user: User) -> Claim:
    """A claim on a pair of two images, with one in the prompt."""
    images = [make_image(project, content) for content in (FIRST, SECOND, ASKED)]
    make_comparison(make_pair(project, response1=images[0], response2=images[1], media=[images[2]]))
    return claimed(project, user)


def claimed(project: Project, user: User) -> Claim:
    found = claim_next(annotator=annotator_for(user, project), claim_id=uuid4())
    assert found is not None
    return found


def get(user: User | None, url: str, **headers: str) -> Any:
    client = Client()
    if user:
        client.force_login(user, backend="webapp.sessions.Accounts")
    return client.get(url, headers=headers)


def body(response: Any) -> bytes:
    return b"".join(response.streaming_content)


def test_sides_are_the_ones_shown(claim: Claim, user: User) -> None:
    for flip in (False, True):
        Claim.objects.filter(pk=claim.pk).update(flip=flip)
        a, b = (SECOND, FIRST) if flip else (FIRST, SECOND)
        for slot, content in (("a", a), ("b", b), ("p0", ASKED)):
            for kind in ("web", "thumb"):
                response = get(user, f"/media/{claim.pk}/{slot}/{kind}")
                assert (response.status_code, body(response)) == (200, content)


def test_headers_tell_nothing(claim: Claim, user: User) -> None:
    def headers(slot: str) -> dict[str, str]:
        response = get(user, f"/media/{claim.pk}/{slot}/web")
        assert response.status_code == 200
        return {name: value for name, value in response.items() if name != "Content-Length"}

    a, b = headers("a"), headers("b")
    assert a == b
    assert {"ETag", "Last-Modified"}.isdisjoint(a)
    assert a["Content-Disposition"] == "inline"
    assert a["Content-Type"] == "image/png"
    assert a["X-Content-Type-Options"] == "nosniff"
    assert a["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert "private" in a["Cache-Control"]


def test_nobody_else_finds_it(claim: Claim, project: Project, user: User) -> None:
    url = f"/media/{claim.pk}/a/web"
    assert get(None, url).status_code == 302
    for other in (
        make_member(project),
        make_member(project, Role.MANAGER),
        make_user(superuser=True),
        make_user(),
    ):
        assert get(other, url).status_code == 404
    assert get(user, url).status_code == 200
    user.memberships.all().delete()  # no longer one of us
    assert get(user, url).status_code == 404


def test_what_is_not_there_is_not_found(claim: Claim, user: User) -> None:
    for path in ("c/web", "p1/web", "p/web", "a/original", "a/huge", "a/../web", "b/original", "p0/original"):
        assert get(user, f"/media/{claim.pk}/{path}").status_code == 404, path
    assert get(user, f"/media/{uuid4()}/a/web").status_code == 404
    text = make_pair(claim.pair.project)
    Claim.objects.filter(pk=claim.pk).update(pair=text)
    assert get(user, f"/media/{claim.pk}/a/web").status_code == 404
    asset = Asset.objects.first()
    assert asset is not None
    assert get(user, f"/assets/{asset.pk}/web/").status_code == 404


@pytest.mark.parametrize(
    ("asked", "status", "span"),
    [
        ("bytes=0-9", 206, (0, 9)),
        ("bytes=10-", 206, (10, None)),
        ("bytes=-7", 206, (-7, None)),
        ("bytes=5-99999", 206, (5, None)),
        ("bytes=-99999", 206, (0, None)),
        ("bytes=0-1,4-5", 200, (0, None)),  # several: all of it is a right answer
        ("lines=0-1", 200, (0, None)),
        ("bytes=-", 200, (0, None)),
        ("bytes=99999-", 416, None),
        ("bytes=9-3", 416, None),
        ("bytes=-0", 416, None),
    ],
)
def test_ranges(
    claim: Claim, user: User, asked: str, status: int, span: tuple[int, int | None] | None
) -> None:
    content = SECOND if claim.flip else FIRST
    response = get(user, f"/media/{claim.pk}/a/web", Range=asked)
    assert response.status_code == status
    if span is None:
        assert response["Content-Range"] == f"bytes */{len(content)}"
        return
    start, end = span
    wanted = content[start:] if end is None else content[start : end + 1]
    assert body(response) == wanted
    assert response["Content-Length"] == str(len(wanted))
    assert response["Accept-Ranges"] == "bytes"
    if status == 206:
        first = len(content) + start if start < 0 else start
        assert response["Content-Range"] == f"bytes {first}-{first + len(wanted) - 1}/{len(content)}"
    else:
        assert "Content-Range" not in response


def test_if_range_has_nothing_to_match(claim: Claim, user: User) -> None:
    response = get(user, f"/media/{claim.pk}/a/web", **{"Range": "bytes=0-9", "If-Range": '"whatever"'})
    assert response.status_code == 200
    assert body(response) == (SECOND if claim.flip else FIRST)


def test_each_modality_has_its_own_kinds_and_never_the_original(project: Project, user: User) -> None:
    sounds = [
        make_asset(project, content, modality=Modality.AUDIO, extension="mpeg")
        for content in (b"one" * 9, b"two" * 9)
    ]
    for asset, content in zip(sounds, (b"1st" * 9, b"2nd" * 9), strict=True):
        key = default_storage.save(f"derivatives/{uuid4().hex}", ContentFile(content))
        Derivative.objects.create(asset=asset, kind="web", media_type="audio/flac", size=27, key=key)
    make_comparison(make_pair(project, response1=sounds[0], response2=sounds[1]))
    claim = claimed(project, user)
    response = get(user, f"/media/{claim.pk}/a/web", Range="bytes=3-")
    assert (response.status_code, response["Content-Type"]) == (206, "audio/flac")
    assert body(response) == (b"2nd" if claim.flip else b"1st") * 8
    for kind in ("original", "thumb", "peaks"):  # not of sound, and not made
        assert get(user, f"/media/{claim.pk}/a/{kind}").status_code == 404
        assert get(make_user(superuser=True), f"/assets/{sounds[0].pk}/{kind}/").status_code == 404


def test_previews_are_for_those_who_may_see_judgments(claim: Claim, project: Project, user: User) -> None:
    asset = claim.pair.response1.asset
    assert asset is not None
    url = f"/assets/{asset.pk}/thumb/"
    for role, status in ((Role.ANNOTATOR, 404), (Role.REVIEWER, 200), (Role.MANAGER, 200)):
        assert get(make_member(project, role), url).status_code == status
    assert get(make_member(make_project(), Role.MANAGER), url).status_code == 404
    assert get(make_user(superuser=True), url).status_code == 200
    assert get(make_user(superuser=True), "/assets/999999/thumb/").status_code == 404
    assert get(make_user(superuser=True), f"/assets/{asset.pk}/original/").status_code == 404


@pytest.mark.parametrize("store", ["object store"], indirect=True)
def test_an_object_store_is_linked_to_for_minutes(store: Store, claim: Claim, user: User) -> None:
    responses: dict[str, HttpResponse] = {slot: get(user, f"/media/{claim.pk}/{slot}/web") for slot in "ab"}
    for response in responses.values():
        assert response.status_code == 302
        url = urlsplit(response["Location"])
        assert f"{url.scheme}://{url.netloc}" == store.environ["S3_ENDPOINT_URL"]
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        # moto answers expired and forged links too, so the link itself must show both.
        assert query["X-Amz-Expires"] == "600"
        assert re.fullmatch(r"[0-9a-f]{64}", query["X-Amz-Signature"])
        assert query["X-Amz-SignedHeaders"] == "host"
        assert query["response-content-type"] == "image/png"
        assert query["response-content-disposition"] == "inline"
        kept = re.fullmatch(r"private, max-age=(\d+)", response["Cache-Control"])
        assert kept and int(kept[1]) < 600
    names = [urlsplit(response["Location"]).path for response in responses.values()]
    assert all(re.fullmatch(r"/evenhand/derivatives/[0-9a-f]{32}", name) for name in names)
