"""What a specification of a judge's training may say (manage.py train_judge --spec FILE)."""

from dataclasses import asdict, dataclass, field
from typing import Any, Self

from workers.reward_models.large.settings import LINEAR, LargeSettings
from workers.reward_models.settings import read


def _number(default: float, least: float = 0, most: float | None = None) -> Any:
    return field(default=default, metadata={"least": least} | ({"most": most} if most is not None else {}))


@dataclass(frozen=True)
class JudgeSettings:
    """
    Attributes:
        backbone: folder of the language model, or a hub id whose files are on this machine already.
        method: adapters on the decoder, or the whole decoder and its output layer; towers stand still.
        template: a file of the system turn's words, with {criterion} and {verdicts}; empty: those that judges are asked in.
        rollouts: replies to each prompt, which are compared with one another.
        prompts: comparisons a step. Each is asked in both orders, so that there are twice as many groups of replies.
        updates: steps of the optimizer on the same replies.
        clip: how far the ratio of probabilities may go from 1 before a reply tells no more.
        kl: weight of the divergence from the model that training began with. 0 needs no second model.
        format_reward: what a well-formed reply is worth beside the 1 of a right verdict.
        temperature, most_reply: of replies in training. Evaluation takes the likeliest word each time.
        watch_every, watch_most: steps between two looks at the validation split (0: an epoch), and comparisons looked at.
        processes: of this machine, which share each step's comparisons, each on its own GPU where there are as many.
        patience: after how many looks without more right verdicts training stops (0: never); the best look's weights stay.
    """

    backbone: str
    method: str = field(default="lora", metadata={"choices": ("lora", "full")})
    template: str = ""
    rollouts: int = _number(6, 2, 1024)
    prompts: int = _number(16, 1)
    micro_batch: int = _number(4, 1)
    updates: int = _number(1, 1, 100)
    epochs: int = _number(2, 1)
    learning_rate: float = _number(1e-6, 1e-9, 10)
    weight_decay: float = _number(1e-2)
    warmup: float = _number(0.0, 0, 1)
    max_grad: float = _number(1.0, 1e-6)
    clip: float = _number(0.2, 0, 1)
    kl: float = _number(0.01, 0)
    format_reward: float = _number(0.1, 0, 10)
    temperature: float = _number(1.0, 0.01, 10)
    most_reply: int = _number(1024, 1)
    lora_rank: int = _number(16, 1, 1024)
    lora_alpha: float = _number(32, 1e-6)
    lora_targets: tuple[str, ...] = LINEAR
    max_tokens: int = _number(18_000, 16)
    image_pixels: int = _number(768 * 768, 112 * 112)
    frame_pixels: int = _number(256 * 256, 112 * 112)
    fps: float = _number(2.0, 0.01, 60)
    most_frames: int = _number(4, 2, 768)
    watch_every: int = _number(0, 0)
    watch_most: int = _number(256, 1)
    patience: int = _number(3, 0)
    checkpoints: str = ""
    checkpoint_every: int = _number(10, 1)
    processes: int = _number(1, 1, 64)

    @classmethod
    def from_json(cls, values: Any) -> Self:
        """
        Raises:
            SettingsError: naming the field.
        """
        settings = read(cls, values, "the specification of a judge's training")
        settings.large()  # which looks at the layers' names
        return settings

    def large(self) -> LargeSettings:
        """The same as a backbone is loaded by."""
        shared = (
            *("backbone", "method", "lora_rank", "lora_alpha", "max_tokens", "image_pixels", "frame_pixels"),
            *("fps", "most_frames", "learning_rate", "weight_decay", "epochs"),
        )
        values = {name: getattr(self, name) for name in shared}
        return LargeSettings.from_json(values | {"lora_targets": list(self.lora_targets)})

    def kept(self) -> dict[str, Any]:
        return asdict(self)
