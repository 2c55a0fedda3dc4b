"""What a project's judgments cost by the rates that its managers gave, and what those that are left will."""

from dataclasses import dataclass
from typing import Any

from django.db import connection

from annotate.models import Project
from annotate.visible import visible

# Work that is paid: verdicts given here that were not taken back, on repeats as well, but not training and quiz; a
# revision is part of the first.
# The page tells its active time with each verdict of a claim: it is one time.
_DONE = f"""
    WITH claims AS (
        SELECT j.claim_id, count(*) AS verdicts, max(j.seconds) AS seconds
        FROM annotate_judgment j
        JOIN annotate_claim l ON l.id = j.claim_id AND l.kind NOT IN ('training', 'quiz')
        JOIN annotate_comparison c ON c.id = j.comparison_id
        JOIN annotate_pair p ON p.id = c.pair_id
        WHERE p.project_id = %(project)s AND j.claim_id IS NOT NULL AND j.verdict <> 'retracted'
          AND NOT EXISTS (SELECT FROM annotate_judgment r WHERE r.supersedes_id = j.id)
          AND {visible("p")}
        GROUP BY j.claim_id
    )
    SELECT COALESCE(sum(verdicts), 0)::bigint,
           COALESCE(sum(verdicts) FILTER (WHERE seconds IS NOT NULL), 0)::bigint,
           COALESCE(sum(seconds), 0)::float8
    FROM claims
"""


@dataclass(frozen=True, slots=True)
class Done:
    """Verdicts that were given here, those whose time is known, and the seconds these took together."""

    verdicts: int
    timed: int
    seconds: float

    @property
    def seconds_each(self) -> float | None:
        """Seconds of one verdict in the mean; None where no time is known."""
        return self.seconds / self.timed if self.timed else None


def read_done(project: Project) -> Done:
    with connection.cursor() as cursor:
        cursor.execute(_DONE, {"project": project.pk})
        return Done(*cursor.fetchone())


def cost_of(done: Done, left: int, *, per_verdict: float, per_hour: float) -> dict[str, Any]:
    """{"verdicts", "hours", "untimed", "spent", "each", "left", "why"}: money in the project's currency, None where unknown.

    The time of verdicts that told none is taken as that of the others in the mean. `left` is what as many more
    verdicts will cost at that pace; `why` says what stands in the way.
    """
    each = done.seconds_each
    hours = (each or 0.0) * done.verdicts / 3600
    found: dict[str, Any] = {
        "verdicts": done.verdicts,
        "hours": round(hours, 2),
        "untimed": done.verdicts - done.timed,
        "spent": None,
        "each": None,
        "left": None,
        "why": "",
    }
    if not (per_verdict or per_hour):
        return found | {"why": "No rate is set: give one in the project's settings."}
    if per_hour and each is None and done.verdicts:
        return found | {"why": "No verdict tells how long it took, so that hours cannot be counted."}
    spent = done.verdicts * per_verdict + hours * per_hour
    found["spent"] = round(spent, 2)
    if not done.verdicts:
        if per_hour:
            return found | {"why": "Nothing was judged here yet, so that the time of a verdict is unknown."}
        return found | {"each": per_verdict, "left": round(left * per_verdict, 2)}
    return found | {"each": round(spent / done.verdicts, 4), "left": round(left * spent / done.verdicts, 2)}
