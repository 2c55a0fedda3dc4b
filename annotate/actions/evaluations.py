"""Results of evaluations, kept with a project and forgotten again."""

from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from annotate import audit
from annotate.access import Deed, require
from annotate.models import Evaluation, Project, User
from annotate.models.evaluations import MAX_TITLE


@transaction.atomic
def keep_evaluation(*, by: User | None, project: Project, results: dict[str, Any]) -> Evaluation:
    """Keep the results of an evaluation, as its results.json holds them. The same ones again change nothing.

    Raises:
        Denied, Unknown: the user does not manage the project.
        ValidationError: they are no results.
    """
    require(by, Deed.MANAGE, project)
    try:
        named: dict[str, Any] = {
            "bench": str(results["bench"]["name"])[:MAX_TITLE],
            "digest": str(results["bench"]["digest"]),
            "judge": str(results["judge"]["title"])[:MAX_TITLE],
            "revision": str(results["judge"].get("revision", ""))[:MAX_TITLE],
            "judged_at": datetime.fromisoformat(results["at"]),
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValidationError(f"These are no results of an evaluation: {error}.") from error
    evaluation = Evaluation(project=project, content=results, **named)
    evaluation.full_clean(validate_unique=False, validate_constraints=False)
    try:
        evaluation, new = Evaluation.objects.get_or_create(
            **{name: named[name] for name in named.keys() - {"bench"}},
            project=project,
            defaults={"bench": named["bench"], "content": results},
        )
    except IntegrityError as error:
        raise ValidationError(
            "These are no results of an evaluation: their benchmark has no digest."
        ) from error
    if not new:
        return evaluation
    audit.record(
        by,
        "keep evaluation",
        evaluation,
        project,
        judge=evaluation.judge,
        bench=evaluation.bench,
        digest=named["digest"],
    )
    return evaluation


@transaction.atomic
def forget_evaluation(*, by: User | None, evaluation: Evaluation) -> None:
    """Remove kept results.

    Raises:
        Denied, Unknown: the user does not manage the project.
    """
    require(by, Deed.MANAGE, evaluation.project)
    audit.record(
        by,
        "forget evaluation",
        evaluation,
        evaluation.project,
        judge=evaluation.judge,
        bench=evaluation.bench,
    )
    evaluation.delete()
