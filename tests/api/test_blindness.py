"""Nothing that the judge page is told, or could ask for, tells whose response stands where."""

import json
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from annotate.models import Asset, Claim, Derivative, Pair, Project
from tests.api.client import Api, answer
from tests.api.conftest import join
from tests.browser.judging import make_image, picture
from tests.factories import make_comparison, make_pair, make_project

# Ids so long that they are found nowhere by accident.
FIRST_ID = {
    "annotate_response": 770_000_001,
    "annotate_asset": 880_000_001,
    "annotate_derivative": 990_000_001,
}
MODELS = ("canary-model-one", "canary-model-two")


@pytest.fixture
def media_pair(db: None) -> Pair:
    """A pair of images with text, under names and ids that must not be seen."""
    with connection.cursor() as cursor:
        for table, first in FIRST_ID.items():
            cursor.execute("SELECT setval(pg_get_serial_sequence(%s, 'id'), %s)", [table, first])
    project = make_project(reserve_share=0, validation_share=0, claims_in_hand=9)
    pair = make_pair(
        project,
        response1=make_image(project, picture((200, 30, 30))),
        response2=make_image(project, picture((30, 160, 60))),
        media=[make_image(project, picture((9, 9, 9)))],
        models=MODELS,
        source="canary-source",
        external_id="canary-external",
        metadata={"note": "canary-metadata"},
    )
    for response, name in ((pair.response1, "one"), (pair.response2, "two")):
        response.metadata = {"score": f"canary-score-{name}"}
        response.save()
    make_comparison(pair, "Which picture is sharper?", k=9)
    make_comparison(pair, "Which picture is brighter?", k=9)
    return pair


def secrets_of(pair: Pair) -> list[str]:
    """All that stands in the database on the pair's sides and must not be told."""
    found = ["canary", "flip", "model_name", str(pair.response1_id), str(pair.response2_id)]
    for asset in Asset.objects.all():
        found += [str(asset.pk), bytes(asset.sha256).hex(), asset.key, asset.key.rsplit("/", 1)[-1]]
    for made in Derivative.objects.all():
        found += [str(made.pk), made.key, made.key.rsplit("/", 1)[-1]]
    return [*found, pair.project.salt, pair.project.pseudonym_key]


def flipped_and_not(project: Project) -> list[tuple[Api, Any, bool]]:
    """Annotators with a claim each on the one pair, in both orders."""
    claims = []
    for _ in range(4):
        api = join(project)
        claim = api.claim().body
        claims.append((api, claim, Claim.objects.get(pk=claim["id"]).flip))
    assert {flip for _, _, flip in claims} == {False, True}
    return claims


def test_no_answer_of_the_api_holds_a_secret(media_pair: Pair) -> None:
    secrets, slug = secrets_of(media_pair), media_pair.project.slug
    for api, claim, _ in flipped_and_not(media_pair.project):
        sent, path = (
            [answer(claim, 0, "a"), answer(claim, 1, "media_broken", broken="b")],
            f"claims/{claim['id']}/",
        )
        told = [
            api.get("projects/"),
            api.get(f"projects/{slug}/"),
            api.get(f"projects/{slug}/claims/"),
            api.post(f"{path}heartbeat/"),
            api.submit(claim, *sent, next=str(uuid4())),
            api.submit(claim, *sent),
            api.submit(claim, answer(claim)),  # a conflict
            api.get(path),
            api.get(f"projects/{slug}/history/"),
            api.post(f"{path}undo/", {"id": str(uuid4())}),
            api.post(f"{path}skip/", {"reason": "other"}),
            api.claim(),
        ]
        for text in [json.dumps(claim), *(answered.text for answered in told)]:
            assert [secret for secret in secrets if secret in text] == []


def test_the_judge_page_itself_holds_none(media_pair: Pair) -> None:
    api = join(media_pair.project)
    page = api.client.get(f"/judge/{media_pair.project.slug}/")
    text = page.content.decode() + repr(page.headers)
    # The switch that shows A or B on a small screen is called "flip".
    assert [secret for secret in secrets_of(media_pair) if secret in text and secret != "flip"] == []


def _shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _shape(item) for key, item in value.items()}
    return [_shape(item) for item in value] if isinstance(value, list) else type(value).__name__


def test_the_sides_are_of_one_kind_in_either_order(media_pair: Pair) -> None:
    shapes = []
    for _, claim, _ in flipped_and_not(media_pair.project):
        assert _shape(claim["a"]) == _shape(claim["b"])
        for side in "ab":
            assert claim[side].pop("media") == {
                "modality": "image",
                "url": f"/media/{claim['id']}/{side}/web",
            }
        shapes.append(_shape(claim))
    assert all(shape == shapes[0] for shape in shapes)


def test_media_are_served_without_a_name_or_a_mark(media_pair: Pair) -> None:
    secrets = secrets_of(media_pair)
    colours: set[tuple[bool, str, bytes]] = set()
    for api, claim, flip in flipped_and_not(media_pair.project):
        headers = []
        for slot in ("a", "b", "p0"):
            served = api.client.get(f"/media/{claim['id']}/{slot}/web")
            content = served.getvalue()
            assert served.status_code == 200
            shown = dict(served.headers)
            assert not {"ETag", "Last-Modified", "Content-MD5"} & set(shown)
            assert [secret for secret in secrets if secret in repr(shown)] == []
            if slot != "p0":
                colours.add((flip, slot, content))
            shown.pop("Content-Length")
            headers.append(shown)
        assert headers[0] == headers[1] == headers[2]
    # Each side is one picture, and the other one where the order is exchanged.
    assert len(colours) == 4
    first = {(flip, slot): content for flip, slot, content in colours}
    assert first[False, "a"] == first[True, "b"] != first[False, "b"] == first[True, "a"]


@pytest.mark.parametrize(
    "path",
    [
        "{claim}/a/original",  # as it was given, with its metadata
        "{claim}/response1/web",
        "{claim}/1/web",
        "{claim}/p1/web",
        "{claim}/p-1/web",
        "{claim}/c/web",
        "{claim}/a/poster",
        "{pair}/a/web",
    ],
)
def test_no_other_medium_is_reached_through_a_claim(path: str, media_pair: Pair) -> None:
    api = join(media_pair.project)
    claim = api.claim().body
    names = {"claim": claim["id"], "pair": uuid4()}
    assert api.client.get(f"/media/{path.format(**names)}").status_code == 404
    assert join(media_pair.project).client.get(f"/media/{claim['id']}/a/web").status_code == 404


def test_an_annotator_reaches_no_asset_by_its_number(media_pair: Pair) -> None:
    api = join(media_pair.project)
    for asset in Asset.objects.all():
        assert api.client.get(f"/assets/{asset.pk}/web/").status_code == 404
