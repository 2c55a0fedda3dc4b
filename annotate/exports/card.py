"""README.md of a release: a dataset card with the configs for `datasets`, the rules, the counts, the agreement."""

from collections.abc import Iterable, Mapping
from typing import Any

from annotate.exports.against import contamination_counts
from annotate.exports.choice import REASONS, STEPS, settled_of
from annotate.exports.figures import half_width
from annotate.exports.front_matter import front_matter
from annotate.exports.kinds import formats_of, kinds_of
from annotate.exports.plan import Plan
from annotate.exports.recipe import FILE, Ties, Whose
from annotate.models import Partition, Release, TaskType
from annotate.stats.agreement import Agreement
from annotate.stats.estimates import Estimate, share
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
    head = front_matter(release.project.name, configs, plan)
    recipe = release.recipe
    sources = ", ".join(recipe["sources"]) if recipe["sources"] else "all"
    demo = [_DEMO] if release.project.demo else []
    return "\n".join(
        [
            f"---\n{head}---\n",
            f"# {release.project.name}\n",
            *demo,
            "Human preferences over pairs of responses, each judged under a criterion of its own. Made with"
            f" Evenhand; release `{release.pk}`, frozen {_day(release)}. Sources: {sources}.\n",
            "## What is where\n",
            *(f"- `{one.folder}/`: {one.says}" for one in formats_of(plan)),
            "- `labels/labels-*.parquet`: every judged comparison, also those in no other file, with its label and where it"
            " comes from (`origin`: `people`'s verdicts or `settled`, and by how many `reviewers`), beside how many"
            " counted verdicts say what; `id` is that of the rows in every format.",
            "- `raw/judgments-*.parquet`: every judgment, also those that do not count, by pseudonyms of this release"
            " alone, as it was given, whatever was settled.",
            *([_GROUPS] if "groups" in recipe else []),
            f"- `{FILE}`: the recipe that says what is in it; `export_bench --recipe` takes it.",
            "- `MANIFEST.json`: every file with its SHA-256, all counts, and what was left out and why.\n",
            _usage(configs),
            _rows_of_formats(plan),
            "## Labels\n",
            f"{RULE} {SETTLED_RULE[settled_of(release)]}\n",
            *_settled(plan),
            *_written(release, plan),
            *_mixes(release, plan),
            _table(("part", "config", *USABLE, "ties %"), _label_rows(plan)),
            "",
            *_filters(plan),
            *_apart(release, plan),
            *_contamination(release),
            *_coverage(plan),
            *_sizes(plan),
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
            *_position(plan),
            *_people(plan),
            *_sources(plan),
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


def _rows_of_formats(plan: Plan) -> str:
    """How many rows each format has of each part. The counts of labels below are of comparisons."""
    rows: list[tuple[object, ...]] = []
    for one in formats_of(plan):
        for kind in kinds_of(plan, one):
            labels = {str(label): plan.labels[kind.partition, kind.task_type, label] for label in USABLE}
            if not one.of_models:
                for label in USABLE:
                    labels[str(label)] -= plan.written[kind.partition, kind.task_type, label]
            count = one.rows(labels, plan.recipe.mix(kind.partition).ties)
            rows.append((one.name, kind.split, kind.task_type, count))
    return f"{_table(('format', 'split', 'config', 'rows'), rows)}\n" if rows else ""


def _mixes(release: Release, plan: Plan) -> Iterable[str]:
    """What each part asks of its labels, in words."""
    said = {
        Ties.KEEP: "ties kept where a format has a place for them",
        Ties.DROP: "ties dropped",
        Ties.BOTH: "ties kept, as two rows of either order where one must be chosen",
    }
    for partition in Partition.values:
        mix = plan.recipe.mix(partition)
        asks = [_WHOSE[mix.labels], f"usable verdicts at least {release.recipe['min_labels'][partition]}"]
        if mix.min_agreement:
            asks.append(f"of which at least {mix.min_agreement:g} say the label, unless reviewers settled it")
        yield f"- {partition}: {', '.join([*asks, said[mix.ties]])}."
    chosen = {
        "task types": plan.recipe.task_types,
        "languages": plan.recipe.languages,
        "criteria": plan.recipe.criteria,
    }
    for name, values in chosen.items():
        if values:
            yield f"- {name}: {'; '.join(values)}."
    yield ""


def _filters(plan: Plan) -> Iterable[str]:
    """What each step left out and how many comparisons were left after it, in the order of the steps."""
    rows: list[tuple[object, ...]] = []
    for partition, task_type in sorted({key[:2] for key in [*plan.tallies, *plan.labels, *plan.excluded]}):
        left = sum(count for key, count in plan.tallies.items() if key[:2] == (partition, task_type))
        rows.append((partition, task_type, "frozen", "", left))
        for reason in REASONS:
            if gone := plan.excluded[partition, task_type, str(reason)]:
                left -= gone
                rows.append((partition, task_type, f"`{reason}`", gone, left))
    if not rows:
        return
    yield "What was left out, by step: each comparison is counted by the first that it fails.\n"
    yield _table(("part", "config", "step", "left out", "left"), rows)
    yield ""
    used = {reason for _, _, reason in plan.excluded}
    yield from (f"- `{reason}`: {meaning}." for reason, meaning in REASONS.items() if str(reason) in used)
    if used.intersection(STEPS):
        yield (
            "\nWhat weights, quotas and caps take is drawn by a hash of the row's name: of those that the steps before left,"
            " each of one source, task type or criterion is as likely as another. A row's `inclusion_probability` is the"
            " product over these steps; sums weighed by its inverse estimate those over all that the filters left."
        )
    yield ""


def coverage(plan: Plan) -> dict[str, dict[str, dict[str, int | None]]]:
    """By part and task type: rows wanted (None: no quota), labelled rows there after the filters, rows taken."""
    found: dict[str, dict[str, dict[str, int | None]]] = {}
    for partition in Partition.values:
        quotas = plan.recipe.mix(partition).quotas
        for task_type in TaskType.values:
            there = plan.there[partition, task_type]
            if there or task_type in quotas:
                taken = sum(plan.labels[partition, task_type, label] for label in USABLE)
                row = {"wanted": quotas.get(task_type), "there": there, "taken": taken}
                found.setdefault(partition, {})[task_type] = row
    return found


def _coverage(plan: Plan) -> Iterable[str]:
    yield "## Coverage\n"
    yield "Comparisons wanted by quota, there after the filters, and taken, of each task type.\n"
    rows: list[tuple[object, ...]] = []
    for partition, tasks in coverage(plan).items():
        for task_type, row in tasks.items():
            wanted, taken = row["wanted"], row["taken"] or 0
            missing = "" if wanted is None else max(0, wanted - taken)
            rows.append(
                (partition, task_type, "-" if wanted is None else wanted, row["there"], taken, missing)
            )
    yield _table(("part", "config", "wanted", "there", "taken", "missing"), rows)
    yield ""


def _sizes(plan: Plan) -> Iterable[str]:
    """How exact an accuracy that is measured on the benchmark can be."""
    rows: list[tuple[object, ...]] = []
    for (partition, task_type), pairs in sorted(plan.pairs.items()):
        count = sum(plan.labels[partition, task_type, label] for label in USABLE)
        if partition != Partition.RESERVE or not count:
            continue
        widths = (half_width(0.5, count), half_width(0.8, count), half_width(0.8, pairs))
        rows.append((task_type, count, pairs, *(f"{width:.1f}" for width in widths if width is not None)))
    if rows:
        yield "## Sample sizes\n"
        yield (
            "Half the width of the 95 % interval (Wilson's), in points, around an accuracy of 50 % and of 80 %, if rows were"
            " independent; rows of one pair are not, so that the last column, which counts pairs, is the cautious one.\n"
        )
        head = ("config", "rows", "pairs", "± at 50 %", "± at 80 %", "± at 80 % by pairs")
        yield _table(head, rows)
        yield ""


def _position(plan: Plan) -> Iterable[str]:
    yield "## Position\n"
    yield (
        "How often response1 stood first, and how many of the verdicts for a side were for the first: both half of the time"
        " if position played no part (95 % intervals, Wilson's; counted judgments of which the order is known).\n"
    )
    rows = (
        (task, one.shown, _estimate(one.balance, 3), _estimate(one.bias, 3))
        for task, one in plan.figures.positions.items()
    )
    yield _table(("config", "judgments", "response1 first", "for the first"), rows)
    yield ""


def _people(plan: Plan) -> Iterable[str]:
    found = plan.figures
    yield "## Annotators\n"
    yield (
        f"{found.annotators} annotators gave {found.counted} counted judgments: {found.median} the median annotator,"
        f" {found.most} the busiest. Who published data name as annotators count as such.\n"
    )


def _sources(plan: Plan) -> Iterable[str]:
    yield "## Sources and licences\n"
    rows = (
        (name or "-", source.pairs, plan.figures.licence(name, plan.recipe.licences))
        for name, source in plan.figures.sources.items()
    )
    yield _table(("source", "pairs", "licence"), rows)
    yield ""


def _settled(plan: Plan) -> Iterable[str]:
    """How many labels are reviewers', where there are any."""
    if plan.settled:
        yield "Of the labels below, reviewers settled:\n"
        yield _table(
            ("part", "config", "settled", "other than people's"),
            ((*key, count, plan.overruled[key]) for key, count in sorted(plan.settled.items())),
        )
        yield ""


_WHOSE = {
    Whose.PEOPLE: "people's labels",
    Whose.MODELS: "models' labels alone",
    Whose.ALL: "people's labels and, where there are none, models'",
}


def _written(release: Release, plan: Plan) -> Iterable[str]:
    """How many labels are those of models that wrote the criterion, where there are any."""
    if not release.written:
        return
    yield (
        "Some criteria were written by models, which read a pair and said which side wins by it (`label_origin`: `model`)."
        " Other models verified it, nobody judged by it: these labels are no judgments. Frozen, by the model that wrote them"
        " (`writer` in `labels/`):\n"
    )
    yield _table(("written by", "labels"), release.written["writers"].items())
    looked_at = release.written["looked_at"]
    if sum(looked_at.values()):
        yield (
            f"\nOf the criteria that people were shown as a sample they accepted {looked_at['accepted']} and rejected"
            f" {looked_at['rejected']}, which stand in no file; {looked_at['waiting']} wait."
        )
    counts: dict[tuple[str, str], int] = {}
    for (partition, task_type, _), count in plan.written.items():
        counts[partition, task_type] = counts.get((partition, task_type), 0) + count
    rows = [(*key, count) for key, count in sorted(counts.items()) if count]
    if rows:
        yield "\nOf the labels below, models':\n"
        yield _table(("part", "config", "of models"), rows)
    yield ""


_NEARLY = {
    "text": "prompts whose words nearly are (MinHash)",
    "image": "pictures that nearly look so (difference hash)",
}


def _apart(release: Release, plan: Plan) -> Iterable[str]:
    """What stands on one side of the splits."""
    kinds = plan.recipe.splits.near_duplicates
    told = [words for kind, words in _NEARLY.items() if kind in kinds]
    if "meaning" in kinds:
        least = plan.recipe.splits.same_meaning
        told.append(f"prompts that mean the same (cosine of their sentence embeddings of at least {least:g})")
    nearly = f" What is nearly the same does too: {'; '.join(told)}." if told else ""
    against = "" if "meaning" in kinds else " Prompts were not compared by what they mean."
    yield f"Pairs of one prompt, prompt group or medium stand on one side of the splits only.{nearly}{against}\n"


def _contamination(release: Release) -> Iterable[str]:
    """What stands in other benchmarks too, where some were looked through."""
    if release.contamination:
        yield "## Contamination\n"
        yield _table(
            ("other benchmark", "rows", "found there"),
            (
                (
                    told["name"],
                    told["rows"],
                    ", ".join(f"{what} {n}" for what, n in told["found"].items()) or "-",
                )
                for told in contamination_counts(release)
            ),
        )
        dropped = release.recipe["against"]["drop"]
        yield f"\nPairs that hold any of it {'stand in no split' if dropped else 'were left in'}; `contamination.jsonl` names them.\n"


def configs_of(plan: Plan) -> list[dict[str, Any]]:
    """The configs for `datasets`: those of the formats, the benchmark by its own names; then labels, judgments."""
    configs: list[dict[str, Any]] = []
    for one in formats_of(plan):
        configs += one.configs(kinds_of(plan, one))
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
    for part, task in sorted({(part, task) for part, task, _ in plan.labels}):
        counts = [plan.labels[part, task, label] for label in USABLE]
        ties = share(counts[-1], sum(counts))
        yield (part, task, *counts, _percent(ties))


def _percent(found: Estimate) -> str:
    if found.value is None or found.low is None or found.high is None:
        return "-"
    return f"{100 * found.value:.1f} ({100 * found.low:.1f} to {100 * found.high:.1f})"


def _table(head: Iterable[str], rows: Iterable[tuple[object, ...]]) -> str:
    """A Markdown table; what would end a cell is escaped."""
    head = list(head)
    lines = [head, ["---"] * len(head), *([_cell(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: object) -> str:
    return " ".join(str(value).replace("|", "\\|").split())


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
