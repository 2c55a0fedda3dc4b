"""Places in the responses: told by sides, kept under responses, and only where there is such a place."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from django.core.management import call_command

from annotate.models import Claim, Judgment, Modality, Pair, Project
from tests.api.client import Api, answer
from tests.api.conftest import join
from tests.browser.judging import make_image, picture
from tests.factories import make_asset, make_comparison, make_pair, make_project

TEXTS = ("\U0001f600 The first one is **bold**.", "The second one is plain.")


def claimed(pair: Pair, flip: bool) -> tuple[Api, Any]:
    make_comparison(pair)
    api = join(pair.project)
    claim = api.claim().body
    Claim.objects.filter(pk=claim["id"]).update(flip=flip)
    return api, claim


def place(kind: str, side: str = "a", **fields: Any) -> dict[str, Any]:
    return {"side": side, "kind": kind, **fields}


def text(of: int, quote: str, side: str) -> dict[str, Any]:
    start = TEXTS[of].index(quote)
    return place("text", side, start=start, end=start + len(quote), quote=quote)


@pytest.fixture
def project(db: None) -> Project:
    return make_project(reserve_share=0, validation_share=0)


@pytest.mark.parametrize("flip", [False, True])
def test_text_stands_under_its_response_on_either_side_and_in_the_release(
    flip: bool, project: Project, tmp_path: Path
) -> None:
    api, claim = claimed(make_pair(project, response1=TEXTS[0], response2=TEXTS[1]), flip)
    first, second = ("b", "a") if flip else ("a", "b")
    told = [text(0, "one is **bold**", first), text(1, "plain", second)]
    sent = answer(claim, anchors=told)
    for _ in range(2):  # the second time it is stored already, and the same
        assert api.submit(claim, sent).status == 200
    stored = Judgment.objects.get().evidence["anchors"]
    assert [(one["response"], one["quote"]) for one in stored] == [
        ("response1", "one is **bold**"),
        ("response2", "plain"),
    ]
    assert not {"a", "b", "side"} & {*stored[0], *stored[0].values()}
    shown = api.get(f"claims/{claim['id']}/").body["comparisons"][0]["answer"]
    assert shown["anchors"] == told
    assert api.submit(claim, {**sent, "anchors": told[:1]}).error == (409, "answer_changed", "")
    call_command("export_bench", "--project", project.slug, "--out", str(tmp_path / "out"))
    (row,) = pq.read_table(tmp_path / "out/raw").to_pylist()
    assert json.loads(row["evidence"])["anchors"] == stored


def test_boxes_and_ranges_stand_on_what_has_them(project: Project) -> None:
    image = make_image(project, picture((1, 2, 3)))
    sound = make_asset(
        project,
        b"sound",
        modality=Modality.AUDIO,
        extension="wav",
        probe={"duration": 3.0},
    )
    api, claim = claimed(make_pair(project, response1=image, response2=sound), False)
    whole: dict[str, Any] = {"x": 0, "y": 0, "width": 1, "height": 1}
    part: dict[str, Any] = {"x": 0.5, "y": 0.5, "width": 0.25, "height": 0.5}
    wrong = [
        (place("box", "b", **part), "anchors[0]"),
        (place("time", "a", start=1, end=2), "anchors[0]"),
        (place("box", **{**part, "x": 0.9}), "anchors[0]"),
        (place("box", **{**part, "width": 0}), "anchors[0]"),
        (place("time", "b", start=2, end=1), "anchors[0]"),
        (place("time", "b", start=2, end=3.2), "anchors[0]"),
        (place("text", start=0, end=1, quote="T"), "anchors[0]"),
        (place("box", **part, start=1), "anchors[0].start"),
        (place("time", "b", start=1), "anchors[0].end"),
        (place("point"), "anchors[0].x"),
        (place("shape"), "anchors[0].kind"),
        (place("box", **{**part, "x": "nan"}), "anchors[0].x"),
        (place("box", **{**part, "y": -0.1}), "anchors[0].y"),
        (place("box", **{**part, "x": 1.1}), "anchors[0].x"),
        (place("text", start="inf", end=1, quote="T"), "anchors[0].start"),
        (place("box", "c", **part), "anchors[0].side"),
        (place("text", start=0.5, end=1, quote="T"), "anchors[0].start"),
        (place("time", "b", start=-1, end=1), "anchors[0].start"),
        (place("time", "b", start=1, end=2, response="response1"), "anchors[0].response"),
    ]
    for anchor, field in wrong:
        assert api.submit(claim, answer(claim, anchors=[anchor])).error == (
            400,
            "invalid",
            f"answers[0].{field}",
        )
    many = [place("box", **whole)] * 21
    assert api.submit(claim, answer(claim, anchors=many)).error == (400, "invalid", "answers[0].anchors")
    assert not Judgment.objects.exists()
    fit = [place("box", **whole), place("box", **part), place("time", "b", start=0, end=3.0)]
    assert api.submit(claim, answer(claim, anchors=fit)).status == 200


def test_a_quote_must_be_what_stands_there(project: Project) -> None:
    api, claim = claimed(make_pair(project, response1=TEXTS[0], response2=TEXTS[1]), False)
    for anchor in (
        {**text(1, "plain", "b"), "quote": "plane"},
        {**text(1, "plain", "b"), "side": "a"},
        place("text", "b", start=3, end=3, quote=" "),
        place("text", "b", start=0, end=999, quote=TEXTS[1]),
    ):
        refused = api.submit(claim, answer(claim, anchors=[anchor]))
        assert refused.error == (400, "invalid", "answers[0].anchors[0]")


def test_how_both_sides_were_seen_is_kept_by_response_and_may_be_asked_for(project: Project) -> None:
    Project.objects.update(viewing="require", viewing_share=0.8)
    api, claim = claimed(make_pair(project), True)
    one, none = {"seen": 1.0, "zoom": 2.5}, {"seen": 0.5, "turned": 0.25}

    def submit(verdict: str = "a", **viewing: Any) -> Any:
        return api.submit(claim, answer(claim, verdict=verdict), viewing=viewing)

    assert submit().error == (400, "invalid", "viewing")
    assert submit(a=one).error == (400, "invalid", "viewing")
    assert submit(a=one, b=none).error == (400, "invalid", "viewing")
    assert submit(a=one, b={"seen": 1.5}).error == (400, "invalid", "viewing.b.seen")
    assert submit(a=one, response1=one).error == (400, "invalid", "viewing.response1")
    assert not Judgment.objects.exists()
    assert submit(a=one, b=none, failed=True).status == 200
    assert Judgment.objects.get().evidence == {
        "viewing": {"response1": none, "response2": one, "failed": True}
    }
    api, claim = claimed(make_pair(project), False)
    assert submit("cannot_tell").status == 200  # no verdict on either
    Project.objects.update(viewing="warn")
    api, claim = claimed(make_pair(project), False)
    assert submit(b=none).status == 200


def test_meshes_must_be_turned_where_the_project_asks_for_it(project: Project) -> None:
    Project.objects.update(viewing="require", viewing_share=0.8, viewing_turned=0.5)
    mesh = make_asset(project, b"mesh", modality=Modality.MESH, extension="glb")
    api, claim = claimed(make_pair(project, response1=mesh, response2="A text."), True)
    text, mesh_seen = {"seen": 1.0, "ended": True}, {"seen": 1.0, "zoom": 2.0, "lifted": 0.5}

    def submit(turned: Any) -> Any:
        viewing = {"a": text, "b": {**mesh_seen, "turned": turned}, "prompt": [0.5, None]}
        return api.submit(claim, answer(claim), viewing=viewing)

    assert submit(0.4).error == (400, "invalid", "viewing")
    assert submit("nan").error == (400, "invalid", "viewing.b.turned")
    assert submit(0.5).status == 200
    assert Judgment.objects.get().evidence["viewing"] == {
        "response1": {**mesh_seen, "turned": 0.5},
        "response2": text,
        "prompt": [0.5, None],
    }


CAMERA = {"turn": 30.0, "lift": -20.0, "away": 40.0, "x": 0.0, "y": 0.0, "z": 5.0}
BOUNDS = [[-1.0, -2.0, 0.0], [1.0, 2.0, 10.0]]  # in the axes of the file


def model(project: Project, extension: str, **fields: Any) -> Any:
    probe = {"probe": {"bounds": BOUNDS}, **fields}
    return make_asset(project, extension.encode(), modality=Modality.MESH, extension=extension, **probe)


def point(side: str, *at: Any, **camera: Any) -> dict[str, Any]:
    return place("point", side, **dict(zip("xyz", at, strict=True)), camera={**CAMERA, **camera})


def test_points_stand_on_a_mesh(project: Project) -> None:
    """Of a PLY, whose Z is up, the page is given Y up: its highest point is (0, 10, 0) there."""
    ply = model(project, "ply", media_type="model/ply")
    glb = model(project, "glb", media_type="model/gltf-binary")
    api, claim = claimed(make_pair(project, response1=ply, response2=glb), True)
    on_glb, on_ply = point("a", 1.0, 2.0, 10.0), point("b", 1.0, 10.0, -2.0, turn=0.0)
    wrong = [
        (point("a", 1, 2, 22), ""),  # beyond half of the diagonal, of 11
        (point("a", 1, 2, -6), ""),
        (point("b", 1, 2, 10), ""),  # the axes of the file, not those of the page
        (point("a", 1, 2, 3, away=1e6), ""),
        (point("a", 1, 2, 3, y=1e6), ""),
        (point("a", "nan", 2, 3), ".x"),
        (point("a", 1, 2, "inf"), ".z"),
        (point("a", 1, 2, 3, turn="nan"), ".camera.turn"),
        (point("a", 1, 2, 3, lift=91), ".camera.lift"),
        (point("a", 1, 2, 3, roll=1), ".camera.roll"),
        (place("point", "a", x=1, y=2, z=3), ".camera"),
        ({**point("a", 1, 2, 3), "width": 0.5}, ".width"),
    ]
    for anchor, where in wrong:
        refused = api.submit(claim, answer(claim, anchors=[anchor]))
        assert refused.error == (400, "invalid", f"answers[0].anchors[0]{where}"), anchor
    assert api.submit(claim, answer(claim, anchors=[on_glb, on_ply])).status == 200
    stored = Judgment.objects.get().evidence["anchors"]
    assert [(one["response"], one["x"], one["z"]) for one in stored] == [
        ("response2", 1.0, 10.0),
        ("response1", 1.0, -2.0),
    ]
    assert stored[0]["camera"] == CAMERA
    assert api.get(f"claims/{claim['id']}/").body["comparisons"][0]["answer"]["anchors"] == [on_glb, on_ply]


def test_a_point_stands_on_nothing_else(project: Project) -> None:
    api, claim = claimed(make_pair(project, response1="One.", response2="Two."), False)
    refused = api.submit(claim, answer(claim, anchors=[point("a", 0, 0, 0)]))
    assert refused.error == (400, "invalid", "answers[0].anchors[0]")
