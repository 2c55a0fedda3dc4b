"""README.md of a release: a dataset card with the configs for `datasets`, the rules, the counts, the agreement."""

from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from annotate.exports.plan import REASONS, Plan
from annotate.exports.records import settled_of
from annotate.models import Partition, Release
from annotate.stats.agreement import Agreement
from annotate.stats.estimates import Estimate
from annotate.stats.labels import RULE, SETTLED_RULE, USABLE

_STANDINGS = """\
`standing` says whether a judgment counts: `counted`; `revised` by a later one of the same annotator; `retracted`
(it takes one back); `waiting` (came too late for one of the places that a comparison has); `repeat` (asked again
to measure consistency); `gold` (asked to measure the annotator, as the answer is known); `attention` (an attention check: the pair itself said
what to answer);
`excluded` (its annotator was left out of the labels); `twin` (the annotator counts
already under a criterion merged with this one)."""

_DEMO = """\
**This is a demo.** Prompts, responses and the judgments of its simulated annotators were made by code: nothing in it
tells anything about people or models.
"""

_GROUPS = """\
- `groups/votes.parquet`: how many annotators of each group preferred which response, a row for each comparison and group;
  groups may have opposite winners. Raw judgments name the groups of their annotator. Smaller groups are left out."""


def card(release: Release, plan: Plan) -> str:
    """The card's text. It follows from the frozen rows and the recipe."""
    configs = configs_of(plan)
    head = yaml.safe_dump(
        {"pretty_name": release.project.name, "configs": configs, "tags": ["preference", "reward-model"]},
        sort_keys=False,
        allow_unicode=True,
    )
    recipe = release.recipe
    sources = ", ".join(recipe["sources"]) if recipe["sources"] else "all"
    minimum = ", ".join(f"{part} {recipe['min_labels'][part]}" for part in Partition.values)
    demo = [_DEMO] if release.project.demo else []
    return "\n".join(
        [
            f"---\n{head}---\n",
            f"# {release.project.name}\n",
            *demo,
            "Human preferences over pairs of responses, each judged under a criterion of its own. Made with"
            f" Evenhand; release `{release.pk}`, frozen {_day(release)}. Sources: {sources}.\n",
            "## What is where\n",
            "- `bench/`: the benchmark, in the columns of OmniRewardBench. `bench/<config>/*.parquet` carries"
            " pictures and sound within; `bench/<config>_preferences.json` names them by their path in"
            " `bench/media_data/`.",
            "- `train/`: preference rows for training (TRL: explicit prompt, conversational), the criterion as"
            " leading system turn; a split `validation` is kept apart.",
            "- `labels/labels-*.parquet`: every judged comparison, also those in no other file, with its label and where it"
            " comes from (`origin`: `people`'s verdicts or `settled`, and by how many `reviewers`), beside how many"
            " counted verdicts say what; `id` is that of the rows in `bench/` and `train/`.",
            "- `raw/judgments-*.parquet`: every judgment, also those that do not count, by pseudonyms of this release"
            " alone, as it was given, whatever was settled.",
            *([_GROUPS] if "groups" in recipe else []),
            "- `MANIFEST.json`: every file with its SHA-256, all counts, and what was left out and why.\n",
            _usage(configs),
            "## Labels\n",
            f"{RULE} {SETTLED_RULE[settled_of(release)]}",
            "",
            *_settled(plan),
            f"Usable verdicts asked for at least (min_labels): {minimum}.\n",
            _table(
                ("part", "config", *USABLE, *REASONS),
                _label_rows(plan),
            ),
            "",
            *(f"- `{reason}`: {meaning}." for reason, meaning in REASONS.items()),
            "",
            "Pairs of one prompt, prompt group or medium stand on one side of the splits only.\n",
            "## Agreement\n",
            "Nominal Krippendorff's alpha, Gwet's AC1 and percent agreement (mean over comparisons of the share of"
            " agreeing pairs of verdicts), with 95 % bootstrap intervals over comparisons, over usable counted"
            " verdicts of every comparison, labelled or not. Fleiss' kappa stands in the manifest.\n",
            _table(
                (
                    "config",
                    "comparisons",
                    "verdicts",
                    "of two or more",
                    "unanimous",
                    "agreement %",
                    "alpha",
                    "AC1",
                ),
                agreement_rows(plan.agreements()),
            ),
            "",
            "## Judgments\n",
            _STANDINGS,
            "",
            "`shown_first` is the response that stood on side A. `authored` marks a verdict on a criterion that"
            " the annotator wrote: leave these out of unbiased estimates. `route` tells how the pair came to be"
            " asked, `policy` what a model weighed the others by, `q` and `pool_size` with what probability it came at"
            " `epoch_place` of the draws by chance of its `epoch`, which began with `epoch_pool` pairs: estimates from"
            " what was chosen are put right by these (LURE). Rationales are the annotators' own words.\n",
        ]
    )


def _settled(plan: Plan) -> Iterable[str]:
    """How many labels are reviewers', where there are any."""
    if plan.settled:
        yield "Of the labels below, reviewers settled:\n"
        yield _table(
            ("part", "config", "settled", "other than people's"),
            ((*key, count, plan.overruled[key]) for key, count in sorted(plan.settled.items())),
        )
        yield ""


def configs_of(plan: Plan) -> list[dict[str, Any]]:
    """The configs for `datasets`: the benchmark by its own names, then train_<task type>, labels, judgments."""
    configs: list[dict[str, Any]] = []
    for task_type in dict.fromkeys(part.task_type for part in plan.bench):
        path = f"bench/{task_type}/test-*.parquet"
        configs.append({"config_name": task_type, "data_files": [{"split": "test", "path": path}]})
    for task_type in sorted({part.task_type for part in plan.train}):
        splits = [
            {"split": split, "path": f"train/{task_type}/{split}-*.parquet"}
            for split in (Partition.TRAIN.value, Partition.VALIDATION.value)
            if any(part.task_type == task_type and part.partition == split for part in plan.train)
        ]
        configs.append({"config_name": f"train_{task_type}", "data_files": splits})
    if plan.labelled:
        path = "labels/labels-*.parquet"
        configs.append({"config_name": "labels", "data_files": [{"split": "raw", "path": path}]})
    if plan.raw:
        path = "raw/judgments-*.parquet"
        configs.append({"config_name": "judgments", "data_files": [{"split": "raw", "path": path}]})
    return configs


def agreement_rows(agreements: Mapping[str, Agreement]) -> Iterable[tuple[object, ...]]:
    """Cells of a table: name, comparisons, verdicts, pairable, unanimous, percent, alpha, AC1."""
    for name, found in agreements.items():
        yield (
            name,
            found.comparisons,
            found.verdicts,
            found.pairable,
            found.unanimous,
            _estimate(found.percent, 2),
            _estimate(found.alpha, 4),
            _estimate(found.ac1, 4),
        )


def _estimate(found: Estimate, digits: int) -> str:
    if found.value is None:
        return "-"
    value = f"{found.value:.{digits}f}"
    return value if found.low is None else f"{value} ({found.low:.{digits}f} to {found.high:.{digits}f})"


def _label_rows(plan: Plan) -> Iterable[tuple[object, ...]]:
    keys = {(part, task) for part, task, _ in [*plan.labels, *plan.excluded]}
    for part, task in sorted(keys):
        yield (
            part,
            task,
            *(plan.labels[part, task, label] for label in USABLE),
            *(plan.excluded[part, task, reason] for reason in REASONS),
        )


def _table(head: Iterable[str], rows: Iterable[tuple[object, ...]]) -> str:
    head = list(head)
    lines = [head, ["---"] * len(head), *([str(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _usage(configs: list[dict[str, Any]]) -> str:
    if not configs:
        return "Nothing was labelled yet: this release holds no rows.\n"
    first = configs[0]
    split = first["data_files"][0]["split"]
    return (
        "```python\nfrom datasets import load_dataset\n\n"
        f'rows = load_dataset("PATH", "{first["config_name"]}", split="{split}")\n```\n'
    )


def _day(release: Release) -> str:
    assert release.frozen_at
    return release.frozen_at.date().isoformat()
