"""Evidence: the places in the responses that a verdict rests on, and how they were looked at.

A place is told by the page under the side that was shown, and kept under the response, so that it stands where it
stood whichever side the response is shown on. Kinds of places, each checked against the response itself:

- text: `start` and `end` count characters (code points) of the response's text, `quote` is what stands between them;
- box: `x`, `y`, `width`, `height` of a rectangle, in parts (0 to 1) of an image's width and height from its top left;
- time: `start` and `end` in seconds of a video or sound;
- point: `x`, `y`, `z` on a mesh as the viewer's GLB has it (Y up), and the `camera` that it was taken through: `turn` and
  `lift` in degrees, `away` the distance from `x`, `y`, `z`, which it looks at, in the mesh's units.

How a response was looked at: `seen`, the share of it that was on screen or played, and `ended`, whether its end was, of
what has one (text, video, sound); `zoom`, the most screen pixels that a pixel of an image had, or how many times as near
as at first a mesh was; `turned` and `lifted`, the shares of directions around a mesh (twelve) and of heights above and
below it (six) from which it was seen. `prompt`: the share of each medium of the prompt that was played.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from annotate.models import Modality

MAX_ANCHORS = 20  # of one answer
MAX_QUOTE = 2000  # characters
MAX_PROMPT_MEDIA = 100
KINDS = {
    "text": ("start", "end", "quote"),
    "box": ("x", "y", "width", "height"),
    "time": ("start", "end"),
    "point": ("x", "y", "z", "camera"),
}
_ROUNDING = 1e-6  # of a part
_SHARE = 0.001  # by which the page may round a share down
_LATE = 0.1  # seconds that a player may tell beyond what the probe found
_OUTSIDE = 0.5  # diagonals of a mesh's box at rest by which what moves may reach beyond it
_FAR = 20  # diagonals: no camera of the viewer is farther away, or looks farther past the mesh


@dataclass(frozen=True)
class Content:
    """What a response holds, as far as places in it go. `duration` in seconds; `bounds` of a mesh: its lowest and highest corner."""

    text: str
    modality: str | None
    duration: float | None
    bounds: Sequence[Sequence[float]] | None = None


def problem(anchor: Mapping[str, Any], content: Content) -> str:
    """Why there is no such place in the response; empty if there is."""
    if anchor["kind"] == "text":
        start, end = anchor["start"], anchor["end"]
        if not 0 <= start < end <= len(content.text):
            return _("The text has %(length)s characters: there is nothing from %(start)s to %(end)s.") % {
                "length": len(content.text),
                "start": start,
                "end": end,
            }
        if content.text[start:end] != anchor["quote"]:
            return _("From %(start)s to %(end)s the text is not the quote.") % {"start": start, "end": end}
    elif anchor["kind"] == "box":
        if content.modality != Modality.IMAGE:
            return _("A box stands on an image, and this response is none.")
        across, down = anchor["x"] + anchor["width"], anchor["y"] + anchor["height"]
        if max(across, down) > 1 + _ROUNDING or min(anchor["width"], anchor["height"]) <= 0:
            return _("The box is empty or reaches beyond the image.")
    elif anchor["kind"] == "point":
        if content.bounds is None:
            return _("A point stands on a 3D model, and this response is none.")
        size = math.dist(*content.bounds)
        if not _within(anchor, content.bounds, _OUTSIDE * size):
            return _("The point is not on the 3D model.")
        camera = anchor["camera"]
        if camera["away"] > _FAR * size or not _within(camera, content.bounds, _FAR * size):
            return _("From there the 3D model cannot be seen.")
    else:
        if content.duration is None:
            return _("A time range stands on a video or sound, and this response is none.")
        if not anchor["start"] <= anchor["end"] <= content.duration + _LATE:
            return _("The range must lie within %(seconds)s seconds and end after it begins.") % {
                "seconds": f"{content.duration:g}"
            }
    return ""


def _within(place: Mapping[str, float], bounds: Sequence[Sequence[float]], margin: float) -> bool:
    low, high = bounds
    return all(low[n] - margin <= place[axis] <= high[n] + margin for n, axis in enumerate("xyz"))


def kept(
    anchors: Sequence[Mapping[str, Any]], viewing: Mapping[str, Any], names: Mapping[str, str]
) -> dict[str, Any]:
    """What is stored, by response, from what the page told by side. `names`: side -> response."""
    found: dict[str, Any] = {"anchors": _by_response(anchors, names)} if anchors else {}
    if viewing:
        found["viewing"] = {names.get(key, key): value for key, value in viewing.items() if value}
    return found


def unseen(viewing: Mapping[str, Any], share: float, turned: float, meshes: Collection[str]) -> str:
    """The side ("a", "b") of which less than this share was seen; empty where both were, or a medium failed.

    `turned`: the share of directions from which those that are `meshes` must have been seen.
    """
    if viewing.get("failed"):
        return ""
    for side in ("a", "b"):
        seen = viewing.get(side, {})
        if seen.get("seen", 0) < share or (side in meshes and seen.get("turned", 0) < turned - _SHARE):
            return side
    return ""


def _by_response(anchors: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> list[dict[str, Any]]:
    return [
        {"response": names[anchor["side"]], "kind": anchor["kind"]}
        | {name: anchor[name] for name in KINDS[anchor["kind"]]}
        for anchor in anchors
    ]


def shown(evidence: Mapping[str, Any], sides: Mapping[str, str]) -> list[dict[str, Any]]:
    """Places by side, from the stored ones. `sides`: response -> side."""
    return [
        {"side": sides[anchor["response"]]}
        | {key: value for key, value in anchor.items() if key != "response"}
        for anchor in evidence.get("anchors", ())
    ]
