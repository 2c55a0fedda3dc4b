"""A reward model that vLLM serves: POST <url>/pooling with the task "classify", for production throughput.

The server renders the turns by the model's own chat template, pools the last token and answers the value head's one
number; its activation is asked to be off, or a sigmoid would come back. Of one response the criteria are asked one
after the other, so that the server's prefix cache reads what they share once; media go by content id.

It tells no hidden states, so there is no uncertainty here: the variance is 0 and says nothing.
"""

import base64
import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from annotate.wire.endpoint import Endpoint, EndpointBroken, EndpointError, specified
from workers.reward_models import progress, served
from workers.reward_models.base import (
    Compared,
    Floats,
    MediumRef,
    NothingToLearn,
    Scored,
    Side,
    UnfitArtefact,
    Verdicts,
    check_verdicts,
)
from workers.reward_models.features.cache import FeatureCache
from workers.reward_models.judge_media import wav
from workers.reward_models.large.calibration import Calibration
from workers.reward_models.large.template import START, TEMPLATES, Special
from workers.reward_models.settings import SettingsError, read

Part = dict[str, Any]
_SEES = ("image", "video", "audio", "mesh")


@dataclass(frozen=True)
class VllmSettings:
    """
    Attributes:
        url: of the server, without a path: http://localhost:8000.
        model: the name that it serves the model by.
        revision: which weights those are; whoever serves others must say another.
        key_env: the environment variable that holds the server's key, if it has one.
        sees: modalities beside text that the model is shown.
        concurrency: requests at a time.
    """

    url: str
    model: str
    revision: str = ""
    key_env: str = ""
    sees: tuple[str, ...] = ("image", "video", "mesh")
    template: str = field(default="criterion-last", metadata={"choices": tuple(TEMPLATES)})
    concurrency: int = field(default=16, metadata={"least": 1, "most": 1024})
    per_minute: float = 0.0
    timeout: float = field(default=120.0, metadata={"least": 0.001})
    retries: int = 6

    @classmethod
    def from_json(cls, values: Any) -> Self:
        """
        Raises:
            SettingsError: naming the field.
        """
        settings = read(cls, values, "the specification of a model that vLLM serves")
        if unknown := [one for one in settings.sees if one not in _SEES]:
            raise SettingsError(f"sees: {unknown[0]!r} is none of {', '.join(_SEES)}")
        return settings

    def endpoint(self) -> Endpoint:
        try:
            return specified(self)
        except ValueError as error:
            raise SettingsError(str(error)) from None


@dataclass
class VllmModel:
    settings: VllmSettings
    calibration: Calibration
    endpoint: Endpoint = field(repr=False)

    name: ClassVar[str] = "vllm"
    # Raised whenever the same artefact would be asked otherwise.
    version: ClassVar[str] = "1"
    at_once: ClassVar[int] = 256

    @property
    def modalities(self) -> frozenset[str]:
        return frozenset(self.settings.sees)

    @classmethod
    def train(
        cls,
        items: Sequence[Compared],
        verdicts: Verdicts,
        *,
        cache: FeatureCache,
        seed: int = 0,
        settings: Mapping[str, Any] | None = None,
    ) -> Self:
        """Fit the scale and the threshold of ties: the weights are the server's, and stay as they are."""
        check_verdicts(items, verdicts)
        if settings is None:
            raise SettingsError(
                "url: is missing; a served model is registered by a specification (--spec FILE)"
            )
        asked = VllmSettings.from_json(settings)
        made = cls(asked, Calibration(1.0, 1.0, 0, True), asked.endpoint())
        values, without = made.values(items)
        known = [place for place in range(len(items)) if place not in without]
        if not known:
            raise NothingToLearn(f"The server judged none of the items. Of the first: {without[0]}")
        made.calibration = Calibration.fit(values[known], np.asarray(verdicts)[known], seen=False)
        return made

    def score(self, items: Sequence[Compared], *, cache: FeatureCache) -> Scored:
        values, without = self.values(items)
        return self.calibration.scored(values, None).leaving_out(without)

    def values(self, items: Sequence[Compared]) -> tuple[Floats, dict[int, str]]:
        """Differences of the two sides' values (n,), and the places that have none, with why."""
        values, without = np.zeros(len(items)), dict[int, str]()
        places = []
        for place, item in enumerate(items):
            if unseen := sorted(item.modalities - self.modalities):
                without[place] = f"it is not shown {', '.join(unseen)}"
            else:
                places.append(place)
        asked = [(place, n) for place in places for n in (0, 1)]
        sides = [(items[place], (items[place].first, items[place].second)[n]) for place, n in asked]
        # Side after side of one response, so that what its criteria share is still in the server's cache.
        order = sorted(range(len(asked)), key=lambda n: _shared(*sides[n]))
        with ThreadPoolExecutor(self.settings.concurrency) as pool:
            answers = {}
            for n, answer in zip(order, pool.map(lambda n: self._value(*sides[n]), order), strict=True):
                answers[n] = answer
                progress.tell(len(answers), len(order), "asking the server")
        for n, (place, side) in enumerate(asked):
            answer = answers[n]
            if isinstance(answer, str):
                without[place] = answer
            elif place not in without:
                values[place] += answer if side == 0 else -answer
        values[list(without)] = 0.0
        return values, without

    def _value(self, item: Compared, side: Side) -> float | str:
        """The server's number, or why there is none."""
        try:
            return _number(self.endpoint.ask("/pooling", self.body(item, side)))
        except (EndpointError, OSError, ValueError) as error:
            return str(error)[:300]
        except EndpointBroken as error:
            raise UnfitArtefact(str(error)) from error

    def body(self, item: Compared, side: Side) -> dict[str, Any]:
        """The request: turns of text and media, as the template has them."""
        rendered = TEMPLATES[self.settings.template](item, side)
        messages: list[dict[str, Any]] = []
        before: Special | None = None
        for part in (*rendered.shared, *rendered.own):
            if isinstance(part, Special):
                before = part
                continue
            if isinstance(part, MediumRef):
                messages[-1]["content"].append(_shown(part))
            elif before == Special(START):
                messages.append({"role": part.strip(), "content": []})
            elif part and before is None:  # what follows the end of a turn the server's own template writes
                messages[-1]["content"].append({"type": "text", "text": part})
            before = None
        for message in messages:
            if all(part["type"] == "text" for part in message["content"]):
                message["content"] = "".join(part["text"] for part in message["content"])
        return {
            "model": self.settings.model,
            "task": "classify",
            "messages": messages,
            "add_generation_prompt": False,
            "use_activation": False,
            "encoding_format": "float",
        }

    def save(self, path: Path) -> None:
        served.save(
            path,
            self.name,
            self.version,
            {
                "settings": asdict(self.settings),
                "scale": self.calibration.scale,
                "threshold": self.calibration.threshold,
                "labels": self.calibration.labels,
            },
        )

    @classmethod
    def load(cls, path: Path) -> Self:
        config = served.load(path, cls.name, cls.version)
        try:
            settings = VllmSettings.from_json(config["settings"] | {"sees": list(config["settings"]["sees"])})
            endpoint = settings.endpoint()
        except SettingsError as error:
            raise UnfitArtefact(f"{path}: {error}") from error
        return cls(
            settings, Calibration(config["scale"], config["threshold"], config["labels"], False), endpoint
        )


def _shared(item: Compared, side: Side) -> tuple[str, ...]:
    media = [medium.sha256.hex() for medium in (*item.prompt_media, side.medium) if medium is not None]
    return (item.prompt_text, side.text, *media)


def _shown(medium: MediumRef) -> Part:
    """A medium by its content, under an id of its content: the server embeds it once."""
    try:
        with medium.files["sheet" if medium.modality == "mesh" else "web"]() as file:
            data = wav(file) if medium.modality == "audio" else file.read()
    except Exception as error:  # whatever a store or a decoder throws is this item's fault, and no other's
        raise ValueError(f"{medium.modality} {medium.sha256.hex()[:12]} cannot be opened: {error}") from error
    coded = base64.b64encode(data).decode()
    if medium.modality == "audio":
        shown: Part = {"type": "input_audio", "input_audio": {"data": coded, "format": "wav"}}
    elif medium.modality == "video":
        shown = {"type": "video_url", "video_url": {"url": f"data:video/mp4;base64,{coded}"}}
    else:
        shown = {"type": "image_url", "image_url": {"url": f"data:image/webp;base64,{coded}"}}
    return shown | {"uuid": f"{medium.modality}-{medium.sha256.hex()}"}


def _number(said: dict[str, Any]) -> float:
    """The one number of a reply.

    Raises:
        EndpointError: it is another reply than a pooling endpoint of a model with one label gives.
    """
    try:
        (only,) = said["data"]
        data = only["data"]
        (number,) = data[0] if isinstance(data[0], list) and len(data) == 1 else data
        value = float(number)
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise EndpointError(
            f"its reply is no single value ({type(error).__name__}: {error}); is it served with one label and LAST pooling?"[
                :300
            ]
        ) from None
    if not math.isfinite(value):
        raise EndpointError(f"its reply is the value {value}")
    return value
