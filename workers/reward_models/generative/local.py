"""A judge whose model runs here: what train_judge --out wrote, asked as an endpoint is asked.

For long evaluations an endpoint that serves the same folder is far faster; this asks one item at a time.
"""

import json
import shutil
from pathlib import Path
from threading import Lock
from typing import Any, Self

from safetensors.torch import save_file

from annotate.wire.endpoint import Completion
from workers.reward_models.base import Compared, Opinion, UnfitArtefact, Without
from workers.reward_models.generative.settings import JudgeSettings
from workers.reward_models.generative.talker import Talker
from workers.reward_models.judge import JudgeSpec, read
from workers.reward_models.judge_template import DEFAULT, Template
from workers.reward_models.large import backbone as backbones
from workers.reward_models.large import lora

FILE, FORMAT = "judge.json", "evenhand-judge/1"


def load_talker(settings: JudgeSettings) -> Talker:
    """
    Raises:
        UnfitArtefact: the backbone or the template cannot be used.
    """
    return Talker(backbones.load(settings.large(), talks=True), template_of(settings.template))


def template_of(path: str) -> Template:
    if not path:
        return DEFAULT
    try:
        return Template(Path(path).name, Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UnfitArtefact(f"template: {path}: {error}") from None


def save(talker: Talker, settings: JudgeSettings, folder: Path) -> None:
    """Adapters in PEFT's layout; a decoder that was trained in full as a whole checkpoint. How to ask it beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    model = talker.model
    if settings.method == "full":
        source = backbones.folder_of(settings.backbone)
        model.model.save_pretrained(folder)
        beside = [path for path in source.iterdir() if path.suffix in (".json", ".jinja", ".txt")]
        for path in beside:  # tokenizer, processors, template; not what names the old weights
            if not (folder / path.name).exists() and not path.name.endswith(".index.json"):
                shutil.copyfile(path, folder / path.name)
    else:
        save_file(lora.tensors(model.language), folder / lora.FILE)
        told = lora.config(settings.lora_rank, settings.lora_alpha, settings.lora_targets, settings.backbone)
        (folder / lora.CONFIG).write_text(json.dumps(told, indent=2) + "\n")
    values: dict[str, Any] = {
        "format": FORMAT,
        "backbone_revision": model.revision,
        "template": {"name": talker.template.name, "system": talker.template.system},
        "settings": settings.kept(),
    }
    (folder / FILE).write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n")


class LocalJudge:
    """See base.Judge. `spec` says the same of it as an endpoint's does."""

    def __init__(self, talker: Talker, spec: JudgeSpec, revision: str) -> None:
        self.spec, self.revision = spec, revision
        self.modalities = talker.model.modalities
        self.template = talker.template.name
        self._talker, self._lock = talker, Lock()

    @classmethod
    def load(cls, folder: Path) -> Self:
        """
        Raises:
            UnfitArtefact: it is no folder of train_judge's, or its backbone is another than it was trained on.
        """
        try:
            told = json.loads((folder / FILE).read_text(encoding="utf-8"))
            if told["format"] != FORMAT:
                raise ValueError(f"its format is {told['format']!r}")
            values = told["settings"] | {"lora_targets": list(told["settings"]["lora_targets"])}
            template = Template(**told["template"])
            wanted = told["backbone_revision"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UnfitArtefact(f"{folder} is no folder that manage.py train_judge wrote: {error}") from None
        full = values["method"] == "full"
        settings = JudgeSettings.from_json(values | ({"backbone": str(folder)} if full else {}))
        model = backbones.load(settings.large(), talks=True)
        if not full:
            if model.revision != wanted:
                raise UnfitArtefact(
                    f"{folder} was trained on another backbone than {settings.backbone} holds now: "
                    f"{wanted[:12]}…, not {model.revision[:12]}…. Put that one back, or train anew."
                )
            lora.merge(model.language, lora.read(folder), str(folder))
        spec = JudgeSpec(
            url="",
            model=folder.resolve().name,
            sees=tuple(sorted(model.modalities)),
            tries=1,
            max_tokens=settings.most_reply,
            concurrency=1,
        )
        return cls(Talker(model, template), spec, f"{spec.model}@{model.revision[:12]}")

    def stop(self) -> None:
        """Nothing waits to be sent."""

    def judge(self, item: Compared, *, ties: bool) -> Opinion:
        if unseen := sorted(item.modalities - self.modalities):
            return Opinion(without=Without.UNSUPPORTED, detail=f"it cannot look at {', '.join(unseen)}")
        with self._lock:
            try:
                (prompt,) = self._talker.prompts([item], ties=ties)
            except ValueError as error:
                return Opinion(without=Without.ERROR, detail=str(error)[:500])
            (reply,) = self._talker.replies(prompt, 1, temperature=0, most=self.spec.max_tokens)
        said = Completion(
            self._talker.text(reply), "stop" if reply.ended else "length", len(prompt), len(reply.ids)
        )
        verdict, rationale, problem = read(said, structured=False, ties=ties)
        tokens = {"tokens_in": said.tokens_in, "tokens_out": said.tokens_out, "replies": 1}
        if verdict is None:
            return Opinion(None, Without.UNREADABLE, problem, rationale, **tokens)
        return Opinion(verdict, None, "", rationale, **tokens)
