"""The head of a card, as the Hugging Face Hub and `datasets` read it: licence, languages, tasks, size, configs.

As the Hub documents it for data sets (its template datasetcard.md and the lists that it names). What nobody said is not claimed.
"""

from collections.abc import Iterable
from typing import Any

import yaml
from django.conf.locale import LANG_INFO

from annotate.exports.plan import Plan
from annotate.models import TaskType

# The Hub's names of the tasks.
_TASKS = {
    TaskType.TEXT_TO_TEXT: "text-generation",
    TaskType.TEXT_IMAGE_TO_TEXT: "image-text-to-text",
    TaskType.TEXT_VIDEO_TO_TEXT: "video-text-to-text",
    TaskType.TEXT_AUDIO_TO_TEXT: "audio-text-to-text",
    TaskType.TEXT_TO_IMAGE: "text-to-image",
    TaskType.TEXT_TO_VIDEO: "text-to-video",
    TaskType.TEXT_TO_AUDIO: "text-to-audio",
    TaskType.TEXT_TO_3D: "text-to-3d",
    TaskType.TEXT_IMAGE_TO_IMAGE: "image-to-image",
}
# Licences that the Hub has a name for, of those that data come under.
_LICENCES = frozenset(
    """apache-2.0 mit openrail bigscience-openrail-m bsd-2-clause bsd-3-clause cc cc0-1.0 cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0
    cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0
    cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-sharing-1.0 cdla-permissive-1.0 cdla-permissive-2.0 wtfpl epl-2.0
    etalab-2.0 eupl-1.1 eupl-1.2 agpl-3.0 gpl gpl-2.0 gpl-3.0 lgpl-3.0 isc mpl-2.0 odc-by odbl pddl ofl-1.1 unlicense zlib
    """.split()
)
_ALIASES = {
    "cc0": "cc0-1.0",
    "apache": "apache-2.0",
    "apache-license-2.0": "apache-2.0",
    "odc-by-1.0": "odc-by",
}
_SIZES = (
    (10**3, "n<1K"),
    (10**4, "1K<n<10K"),
    (10**5, "10K<n<100K"),
    (10**6, "100K<n<1M"),
    (10**7, "1M<n<10M"),
)
_LANGUAGES = {info["name"].casefold(): code for code, info in LANG_INFO.items() if "name" in info}


def front_matter(name: str, configs: list[dict[str, Any]], plan: Plan) -> str:
    """The YAML between the card's first two lines of hyphens."""
    tasks = {task for (_, task, _), count in plan.labels.items() if count}
    head: dict[str, Any] = {"pretty_name": name}
    head |= _licence(plan)
    if codes := _codes(plan.figures.languages):
        head["language"] = codes
    if named := sorted(_TASKS[TaskType(task)] for task in tasks if task in _TASKS):
        head["task_categories"] = named
    head["size_categories"] = [_size(sum(plan.labels.values()))]
    head["tags"] = ["preference", "reward-model"]
    if configs:
        head["configs"] = configs
    text: str = yaml.safe_dump(head, sort_keys=False, allow_unicode=True)
    return text


def _licence(plan: Plan) -> dict[str, Any]:
    """One name or several where the Hub has one for each of the sources; else it is told where they stand."""
    told = [
        plan.recipe.licences.get(name) or list(source.licences)
        for name, source in plan.figures.sources.items()
    ]
    if not any(told):
        return {"license": "unknown"}
    found = [_hub_licence(one) for of in told for one in ([of] if isinstance(of, str) else of or [""])]
    if all(found):
        known = sorted(set(found))
        return {"license": known[0] if len(known) == 1 else known}
    return {"license": "other", "license_name": "by-source", "license_link": "README.md"}


def _hub_licence(said: str) -> str:
    """The Hub's name of a licence, empty if it has none: whatever its case, with spaces as hyphens."""
    name = "-".join(said.casefold().split())
    name = _ALIASES.get(name, name)
    return name if name in _LICENCES else ""


def _codes(languages: Iterable[str]) -> list[str]:
    """Of those that pairs say, by code or by English name; of others nothing is claimed."""
    found = set()
    for language in languages:
        said = language.casefold()
        code = said.partition("-")[0] if said.partition("-")[0] in LANG_INFO else _LANGUAGES.get(said, "")
        found.add(code.partition("-")[0])
    return sorted(found - {""})


def _size(rows: int) -> str:
    return next((name for most, name in _SIZES if rows < most), "10M<n<100M")
