"""chosen/rejected rows, as plain texts or messages: the layout of most preference data.

TRL's preference types (trl, docs/source/dataset_formats.md: standard and conversational, explicit and implicit prompt,
vision with `images`) and LLaMA-Factory's ranking form (its data/README.md: sharegpt, `conversations`), in which
Omni-RewardData is published.

Which of the two becomes response1 is decided by a salted hash of the responses, so that the better one is not
always the first, and the same two responses stand in the same order under every criterion.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from annotate.imports import checks
from annotate.imports.record import AskedCriterion, Label, MediaRef, PairRow, Place, RowError, Side
from annotate.imports.schemas.context import OVERALL, PUBLISHED, Context
from annotate.imports.schemas.published import content_name, in_secret_order, media_key, medium, side_key
from annotate.models import Modality

COLUMNS = {"chosen", "rejected"}
_ROLES = {
    "human": "user",
    "gpt": "assistant",
    "user": "user",
    "assistant": "assistant",
    "system": "system",
    "tool": "tool",
}
_MEDIA = {"images": Modality.IMAGE, "videos": Modality.VIDEO, "audios": Modality.AUDIO}
_PLACEHOLDERS = ("<image>", "<video>", "<audio>")

# The subsets of Omni-RewardData, as its files are named, and what each is of (published in LLaMA-Factory's sharegpt
# ranking form; its data/README.md).
SUBSETS = {
    "skywork_reward": "text_to_text",
    "omni_t2t_skywork": "text_to_text",
    "omni_t2t_ultrafeedback": "text_to_text",
    "rlaifv": "text_image_to_text",
    "omnialign": "text_image_to_text",
    "omni_ti2t_rlaifv": "text_image_to_text",
    "omni_ti2t_vlfeedback": "text_image_to_text",
    "hpdv2": "text_to_image",
    "evalmuse": "text_to_image",
    "omni_t2i_hpd": "text_to_image",
    "omni_t2i_oip": "text_to_image",
    "videodpo": "text_to_video",
    "visionreward": "text_to_video",
}

Turns = list[tuple[str, str]]


def schema(context: Context) -> Callable[[Mapping[str, Any], Place], PairRow]:
    stem = context.stem

    def read(row: Mapping[str, Any], place: Place) -> PairRow:
        turns, chosen, rejected = _conversation(row)
        criterion, turns = _criterion(row, turns, context)
        prompt_media, chosen_media, rejected_media = _media(row, chosen == rejected)
        if chosen_media and chosen == rejected:  # of a generation task the texts repeat the prompt
            turns, chosen, rejected = [("user", chosen)], "", ""
        if prompt_media:
            turns = [(role, _bare(text)) for role, text in turns]
        if not prompt_media and not any(text.strip() for _, text in turns):
            raise RowError("prompt", "is missing: give a prompt column, or messages that begin with it.")
        first = _side(row, "chosen", chosen, chosen_media)
        second = _side(row, "rejected", rejected, rejected_media)
        keys = sorted(side_key(side) for side in (first, second))
        first, second, better = in_secret_order(context, first, second)
        labels = (Label(PUBLISHED, better),) if context.labels else ()
        name = content_name(turns, [media_key(ref) for ref in prompt_media], keys)
        source = row.get("source")
        return PairRow(
            place=place,
            source=context.source or (checks.name(source, "source") if source else stem),
            external_id=name if row.get("id") is None else checks.name(row["id"], "id"),
            task_type=context.task_type or SUBSETS.get(stem, context.project_task_type),
            turns=tuple(turns),
            media=tuple(prompt_media),
            response1=first,
            response2=second,
            criteria=(
                checks.criterion(
                    AskedCriterion(criterion, context.k or (1 if labels else None), labels), "criterion"
                ),
            ),
        )

    return read


def _conversation(row: Mapping[str, Any]) -> tuple[Turns, str, str]:
    """The prompt's turns and the two answers. Without a prompt of their own, messages begin with it."""
    given = next((key for key in ("prompt", "conversations", "messages") if row.get(key)), None)
    if given is None and isinstance(row["chosen"], str) and isinstance(row["rejected"], str):
        return _of_texts(checks.text(row["chosen"], "chosen"), checks.text(row["rejected"], "rejected"))
    turns = messages(row[given], given, "user") if given else []
    chosen = messages(row["chosen"], "chosen", "assistant")
    rejected = messages(row["rejected"], "rejected", "assistant")
    if given is None:
        while len(chosen) > 1 and len(rejected) > 1 and chosen[0] == rejected[0]:
            turns.append(chosen.pop(0))
            rejected.pop(0)
    return turns, _answer(chosen, "chosen"), _answer(rejected, "rejected")


def _of_texts(chosen: str, rejected: str) -> tuple[Turns, str, str]:
    """Texts that hold the prompt: a dialogue of HH-RLHF's, else what both begin with, as TRL takes it.

    But TRL may end the prompt within a word; here it ends with one, where the texts have words.
    """
    if chosen == rejected:
        return [], chosen, rejected
    if chosen.lstrip().startswith("Human:") and rejected.lstrip().startswith("Human:"):
        sides = [_dialogue(text) for text in (chosen, rejected)]
        turns: Turns = []
        while all(len(side) > 1 for side in sides) and sides[0][0] == sides[1][0]:
            turns.append(sides[0][0])
            sides = [side[1:] for side in sides]
        return turns, _answer(sides[0], "chosen"), _answer(sides[1], "rejected")
    at = next(
        (n for n, (one, other) in enumerate(zip(chosen, rejected, strict=False)) if one != other),
        min(len(chosen), len(rejected)),
    )
    if word := re.match(r".*\s", chosen[:at], re.DOTALL):
        at = word.end()
    return [("user", chosen[:at].rstrip())], chosen[at:], rejected[at:]


def _dialogue(text: str) -> Turns:
    parts = re.split(r"(?:^|\n\n)(Human|Assistant): ?", text.strip())
    return [
        ("user" if said == "Human" else "assistant", words)
        for said, words in zip(parts[1::2], parts[2::2], strict=True)
    ]


def messages(value: Any, field: str, role: str) -> Turns:
    """A text as one turn of this role; messages, of OpenAI's, ShareGPT's or our own keys, as theirs."""
    if isinstance(value, str):
        return [(role, checks.text(value, field))]
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list) or len(value) > checks.MAX_TURNS:
        raise RowError(field, f"must be a text or a list of at most {checks.MAX_TURNS} messages.")
    turns = []
    for number, message in enumerate(value):
        where = f"{field}[{number}]"
        if not isinstance(message, dict):
            raise RowError(where, 'must be a message: {"role": "user", "content": "..."}.')
        said = message.get("role", message.get("from"))
        if not isinstance(said, str) or said not in _ROLES:
            raise RowError(f"{where}.role", f"is {said!r:.60}; must be one of {', '.join(sorted(_ROLES))}.")
        content = message.get("content", message.get("value", message.get("text")))
        turns.append((_ROLES[said], _content(content, f"{where}.content")))
    return turns


def _content(value: Any, field: str) -> str:
    """A message's text; of one in parts, as vision models are given, the text of them. Media stand in columns."""
    if not isinstance(value, list):
        return checks.text(value, field)
    texts = []
    for number, part in enumerate(value):
        where = f"{field}[{number}]"
        if not isinstance(part, dict) or not isinstance(part.get("type"), str):
            raise RowError(where, 'must be a part: {"type": "text", "text": "..."} or {"type": "image"}.')
        if part["type"] == "text":
            texts.append(checks.text(part.get("text"), f"{where}.text"))
        elif any(part.get(key) for key in ("image_url", "url", "data")):
            raise RowError(where, "holds its medium in the message: put it in the column images.")
        elif part["type"] not in ("image", "video", "audio"):
            raise RowError(f"{where}.type", f"is {part['type']!r:.60}; must be text, image, video or audio.")
    return "\n".join(texts)


def _answer(messages: Turns, field: str) -> str:
    if len(messages) != 1 or messages[0][0] != "assistant":
        raise RowError(field, "must end in one message of the assistant's where chosen and rejected part.")
    return messages[0][1]


def _criterion(row: Mapping[str, Any], turns: Turns, context: Context) -> tuple[str, Turns]:
    """The criterion: the row's own, else the one told for the import, else the leading system turn."""
    own = row.get("criterion", row.get("criteria"))
    if own:
        return checks.text(own, "criterion"), turns
    if context.criterion:
        return context.criterion, turns
    if turns and turns[0][0] == "system":
        return turns[0][1], turns[1:]
    return OVERALL, turns


def _media(
    row: Mapping[str, Any], generation: bool
) -> tuple[list[MediaRef], MediaRef | None, MediaRef | None]:
    """(the prompt's, the chosen one's, the rejected one's) from the lists images, videos and audios.

    Two lists in a list are the media of either side: what they begin with alike is the prompt's. A flat list
    is the prompt's, but of a generation task, whose two texts are equal, it is [chosen, rejected].
    """
    sides: tuple[list[MediaRef], list[MediaRef]] = ([], [])
    prompt: list[MediaRef] = []
    for column, modality in _MEDIA.items():
        value = row.get(column)
        if not value:
            continue
        if not isinstance(value, list) or len(value) > checks.MAX_MEDIA:
            raise RowError(column, f"must be a list of at most {checks.MAX_MEDIA} media files.")
        if all(isinstance(one, list) for one in value):
            if len(value) != 2:
                raise RowError(column, "must hold two lists: the media of chosen and of rejected.")
            for side, refs in zip(sides, value, strict=True):
                side += [medium(one, column, modality) for one in refs]
        elif generation and len(value) == 2:
            for side, one in zip(sides, value, strict=True):
                side.append(medium(one, column, modality))
        else:
            prompt += [medium(one, column, modality) for one in value]
    while sides[0] and sides[1] and media_key(sides[0][0]) == media_key(sides[1][0]):
        prompt.append(sides[0].pop(0))
        sides[1].pop(0)
    if len(sides[0]) > 1 or len(sides[1]) > 1:
        raise RowError("images", "leave more than one media file to a response; one is shown.")
    return prompt, *(side[0] if side else None for side in sides)  # type: ignore[return-value]


def _side(row: Mapping[str, Any], column: str, text: str, media: MediaRef | None) -> Side:
    model = row.get(f"{column}_model") or ""
    return Side(text=_bare(text), media=media, model=checks.name(model, f"{column}_model", empty=True))


def _bare(text: str) -> str:
    for placeholder in _PLACEHOLDERS:
        text = text.replace(placeholder, "")
    return text
