"""What each task type's prompt and responses are made of, and whether a pair is what its task type says."""

from collections.abc import Sequence
from dataclasses import dataclass

from annotate.models import Modality, TaskType


@dataclass(frozen=True)
class Made:
    """The media that prompts and responses of a task type carry. Empty: text alone."""

    prompt: tuple[Modality, ...] = ()
    response: tuple[Modality, ...] = ()


MADE = {
    TaskType.TEXT_TO_TEXT: Made(),
    TaskType.TEXT_IMAGE_TO_TEXT: Made(prompt=(Modality.IMAGE,)),
    TaskType.TEXT_VIDEO_TO_TEXT: Made(prompt=(Modality.VIDEO,)),
    TaskType.TEXT_AUDIO_TO_TEXT: Made(prompt=(Modality.AUDIO,)),
    TaskType.TEXT_TO_IMAGE: Made(response=(Modality.IMAGE,)),
    TaskType.TEXT_TO_VIDEO: Made(response=(Modality.VIDEO,)),
    TaskType.TEXT_TO_AUDIO: Made(response=(Modality.AUDIO,)),
    # A 3D response is a mesh, or a picture of one.
    TaskType.TEXT_TO_3D: Made(response=(Modality.IMAGE, Modality.MESH)),
    TaskType.TEXT_IMAGE_TO_IMAGE: Made(prompt=(Modality.IMAGE,), response=(Modality.IMAGE,)),
    TaskType.OTHER: Made(prompt=tuple(Modality), response=tuple(Modality)),
}


def misfit(
    task_type: str,
    prompt: Sequence[str],
    responses: Sequence[tuple[str | None, bool]],
    *,
    one_medium: bool,
    bare: bool,
) -> str:
    """Why a pair cannot be written in the columns of its task type; empty if it can.

    Args:
        prompt: the modality of each medium of the prompt.
        responses: of both responses, the modality of the medium (None without one) and whether it has text.
        one_medium: for columns that hold one medium of the prompt.
        bare: for columns that hold text or a medium as response, not both.
    """
    made = MADE[TaskType(task_type)]
    if strange := [modality for modality in prompt if modality not in made.prompt]:
        return f"its prompt carries {strange[0]}, which {task_type} has no place for"
    if one_medium and made.prompt and len(prompt) != 1:
        return f"its prompt carries {len(prompt)} media, and {task_type} has a place for one"
    for name, (modality, has_text) in zip(("response1", "response2"), responses, strict=True):
        if modality is None:
            if made.response and (bare or not has_text):
                return f"its {name} has no {made.response[0]}, which {task_type} asks for"
        elif modality not in made.response:
            return f"its {name} is {modality}, which {task_type} has no place for"
        elif bare and has_text:
            return f"its {name} has text beside its {modality}, which {task_type} has no place for"
    return ""
