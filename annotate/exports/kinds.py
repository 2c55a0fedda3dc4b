"""Which rows of a plan each format of its recipe writes."""

from annotate.exports.formats import format_named
from annotate.exports.formats.base import Format, Kind
from annotate.exports.plan import Plan
from annotate.exports.records import Part


def formats_of(plan: Plan) -> list[Format]:
    return [format_named(name) for name in plan.recipe.formats]


def kinds_of(plan: Plan, one: Format) -> list[Kind]:
    """What the format has a place for, by partition and task type, in the order of the plan."""
    kinds: dict[tuple[str, str], list[Part]] = {}
    for part in [*plan.bench, *plan.train]:
        if one.takes(part.task_type, part.partition):
            kinds.setdefault((part.task_type, part.partition), []).append(part)
    return [Kind(task_type, partition, parts) for (task_type, partition), parts in kinds.items()]
