"""A release's decided rows as ms-swift reads them for GRPO: a judge's prompts in both orders, with media as files.

`messages`, `images`, `videos`, `audios` and placeholders in the text as its documentation has them (custom datasets, ms-swift
4.6); `solution`, the letter of the better response, goes to the reward function, which is written beside the rows.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from shutil import copyfile, copyfileobj
from typing import Any

from annotate.exports.files import new_file
from workers.released import swift_reward
from workers.released.reward_model import Lesson
from workers.released.rows import Row
from workers.reward_models.base import Compared, MediumRef, Verdicts
from workers.reward_models.judge_media import wav
from workers.reward_models.judge_template import DEFAULT, Template

REWARD, MEDIA = "reward.py", "media"
# Of each modality the list, the placeholder, the rendition that is shown and the ending of its file.
_KINDS = {
    "image": ("images", "<image>", "web", "webp"),
    "mesh": ("images", "<image>", "sheet", "webp"),
    "video": ("videos", "<video>", "web", "mp4"),
    "audio": ("audios", "<audio>", "web", "wav"),
}


def write(
    folder: Path,
    found: Lesson,
    template: Template = DEFAULT,
    *,
    told: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, int]:
    """Rows, media and reward.py in `folder`. Returns how many rows each file has: two of each comparison."""
    (folder / MEDIA).mkdir(parents=True, exist_ok=True)
    splits: dict[str, tuple[Sequence[Row], Sequence[Compared], Verdicts]] = {
        "train": (found.rows, found.items, found.verdicts),
        "validation": (found.watched_rows, found.watched, found.watched_verdicts),
    }
    total, done = sum(len(rows) for rows, _, _ in splits.values()), 0
    written: dict[str, int] = {}

    def lines(rows: Sequence[Row], items: Sequence[Compared], verdicts: Verdicts) -> Iterator[str]:
        nonlocal done
        for row, item, verdict in zip(rows, items, verdicts, strict=True):
            for turned in (False, True):
                shown = item.swapped() if turned else item
                right = "A" if (verdict > 0) != turned else "B"
                made = {
                    "id": f"{row.row.id}/{int(turned)}",
                    **_row(folder, shown, template),
                    "solution": right,
                }
                yield json.dumps(made, ensure_ascii=False) + "\n"
            done += 1
            told(done, total)

    for split, (rows, items, verdicts) in splits.items():
        with new_file(folder / f"{split}.jsonl") as file:
            for line in lines(rows, items, verdicts):
                file.write(line.encode())
        written[f"{split}.jsonl"] = 2 * len(rows)
    copyfile(swift_reward.__file__, folder / REWARD)
    return written


def _row(folder: Path, item: Compared, template: Template) -> dict[str, Any]:
    # Slow: never at the top of a module.
    from workers.reward_models.generative.talker import asked
    from workers.reward_models.large.template import START, Special

    messages: list[dict[str, str]] = []
    lists: dict[str, list[str]] = {}
    before: Any = None
    for part in asked(item, template, ties=False):
        if isinstance(part, Special):
            before = part
            continue
        if isinstance(part, MediumRef):
            name, placeholder, _, _ = _KINDS[part.modality]
            lists.setdefault(name, []).append(str(_kept(folder, part).resolve()))
            messages[-1]["content"] += placeholder
        elif before == Special(START):
            messages.append({"role": part.strip(), "content": ""})
        elif before is None:  # what follows the end of a turn the other side's template writes
            messages[-1]["content"] += ("\n" if messages[-1]["content"] else "") + _free(part)
        before = None
    return {"messages": [one for one in messages if one["role"] != "assistant"], **lists}


def _kept(folder: Path, medium: MediumRef) -> Path:
    """The medium as a file of its content's name, written once."""
    _, _, rendition, ending = _KINDS[medium.modality]
    path = folder / MEDIA / f"{medium.sha256.hex()}.{ending}"
    if not path.exists():
        with medium.files[rendition]() as file, new_file(path) as out:
            if medium.modality == "audio":
                out.write(wav(file))
            else:
                copyfileobj(file, out)
    return path


def _free(text: str) -> str:
    """The text, in which what would be taken for a medium's placeholder is none: there is no way to quote it."""
    for _, placeholder, _, _ in _KINDS.values():
        text = text.replace(placeholder, f"< {placeholder[1:-1]} >")
    return text
