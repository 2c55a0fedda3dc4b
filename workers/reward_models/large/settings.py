"""What a specification of a large reward model may say (manage.py train_rm --backend transformers --spec FILE)."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from workers.reward_models.large.template import TEMPLATES
from workers.reward_models.settings import SettingsError, read

# All linear layers of a decoder, by the names that Qwen and Llama give them.
LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def _of(*choices: str) -> Any:
    return field(default=choices[0], metadata={"choices": choices})


def _number(default: float, least: float = 0, most: float | None = None) -> Any:
    return field(default=default, metadata={"least": least} | ({"most": most} if most is not None else {}))


@dataclass(frozen=True)
class LargeSettings:
    """
    Attributes:
        backbone: folder of the language model, or a hub id whose files are on this machine already.
        head: folder or file of a value head to start from; empty: the backbone's own, else a new one.
        adapter: folder of a PEFT adapter that is merged before anything else.
        method: what is trained: adapters and head, the head alone, the whole decoder and head (towers stand still), or
            nothing (only calibrated).
        loss: Bradley-Terry leaves ties out, Rao-Kupper learns them with a threshold of its own.
        batch, micro_batch: pairs a step, and pairs at a time on one device.
        head_dropout: share of what the head reads that is blanked while it learns.
        watch_every, patience: where pairs are watched, how many steps lie between two looks (0: an epoch), and after how
            many looks without a smaller loss training stops (0: never). What is kept is the best look's.
        image_pixels, frame_pixels: of one picture and of one frame of a video, at most.
        fps, most_frames: of a video.
        calibration_share: of the prompts, kept from training for scale, ties and uncertainty.
        batch_tokens: padded tokens scored at a time.
        checkpoints: folder where training is kept every `checkpoint_every` steps and resumed from.
        processes: of one machine that train together, each on its own device where there are as many.
        sharded: does each of them hold only its part of the decoder's layers (FSDP)? Else each holds all of it.
    """

    backbone: str
    head: str = ""
    adapter: str = ""
    template: str = _of(*TEMPLATES)
    method: str = _of("lora", "head", "full", "none")
    loss: str = _of("rao_kupper", "bradley_terry")
    lora_rank: int = _number(16, 1, 1024)
    lora_alpha: float = _number(32, 1e-6)
    lora_targets: tuple[str, ...] = LINEAR
    learning_rate: float = _number(1e-4, 1e-9, 10)
    weight_decay: float = _number(1e-3)
    warmup: float = _number(0.03, 0, 1)
    epochs: int = _number(2, 1)
    batch: int = _number(64, 1)
    micro_batch: int = _number(4, 1)
    clip: float = _number(1.0, 1e-6)
    head_dropout: float = _number(0.0, 0, 0.9)
    watch_every: int = _number(0, 0)
    patience: int = _number(3, 0)
    max_tokens: int = _number(18_000, 16)
    image_pixels: int = _number(768 * 768, 112 * 112)
    frame_pixels: int = _number(256 * 256, 112 * 112)
    fps: float = _number(2.0, 0.01, 60)
    most_frames: int = _number(4, 2, 768)
    calibration_share: float = _number(0.1, 0, 0.5)
    batch_tokens: int = _number(32_768, 16)
    checkpoints: str = ""
    checkpoint_every: int = _number(50, 1)
    processes: int = _number(1, 1, 64)
    sharded: bool = False

    @classmethod
    def from_json(cls, values: Any) -> Self:
        """
        Raises:
            SettingsError: naming the field.
        """
        settings = read(cls, values, "the specification of a large reward model")
        if unknown := [name for name in settings.lora_targets if name not in LINEAR]:
            raise SettingsError(f"lora_targets: {unknown[0]!r} is none of {', '.join(LINEAR)}")
        for name in ("adapter", "head"):
            if (given := getattr(settings, name)) and not Path(given).exists():
                raise SettingsError(f"{name}: there is no file or folder {given}")
        if settings.batch % settings.processes:
            raise SettingsError(
                f"batch: {settings.batch} pairs cannot be shared evenly by {settings.processes} processes"
            )
        if settings.sharded and (settings.processes < 2 or settings.method not in ("lora", "full")):
            raise SettingsError("sharded: wants processes of 2 or more, and method lora or full")
        return settings

    def kept(self) -> dict[str, Any]:
        return asdict(self)
