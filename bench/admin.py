"""How long the admin's lists take at a million rows: of judgments, claims, draws and audit entries, all in one project.

Asked are the first page of each list, its last one and a search, as a superuser and as the manager of a small project
beside it, whose rows are older than all of those: in this process, PostgreSQL apart, each several times. Prints JSON.
"""

import argparse
import json
import time
from statistics import median
from typing import Any

from dashboard import THEN
from pairs import fill
from place import own_servers

# Claims and judgments come three a pair; draws and audit entries are filled up to as many. Ids of draws fill in order.
MORE = (
    THEN
    + """
INSERT INTO annotate_draw (project_id, route, epoch, pos, pair_id, open, created_at)
SELECT %(project)s, 'reopened', 2, n, id, false, now()
FROM annotate_pair, generate_series(1, 2) n WHERE project_id = %(project)s;
INSERT INTO annotate_auditentry (at, project_id, deed, subject, details)
SELECT now() - i * interval '1 second', %(project)s, 'pause project', 'pair ' || i %% 1000, '{}'
FROM generate_series(1, 3 * %(n)s) i;
"""
)
SMALL = 200  # pairs of the small project
TIMES = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    options = parser.parse_args()
    with own_servers():
        fill("small", SMALL, kept=True, then=MORE)
        fill("large", -(-options.rows // 3), kept=True, then=MORE)
        print(json.dumps({"bench": "admin", **measure()}, indent=2))


def measure() -> dict[str, Any]:
    """Milliseconds of each page: the median and the slowest of several times."""
    from django.contrib import admin
    from django.core.management import call_command
    from django.db import connection
    from django.test import Client
    from django.urls import reverse

    from annotate.admin.base import ScopedAdmin
    from annotate.models import AuditEntry, Claim, Draw, Judgment, Membership, Pair, Project, Role, User

    call_command("collectstatic", interactive=False, verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    root = User.objects.create(username="root", is_superuser=True, is_staff=True)
    manager = User.objects.create(username="manager")
    Membership.objects.create(
        user=manager, project=Project.objects.get(slug="small"), role=Role.MANAGER, own_role=Role.MANAGER
    )
    told: dict[str, Any] = {}
    for user in (root, manager):
        client = Client(headers={"Host": "localhost"})
        client.force_login(user, backend="webapp.sessions.Accounts")
        for model, page in admin.site._registry.items():
            if not isinstance(page, ScopedAdmin):
                continue
            url = reverse(f"admin:{model._meta.label_lower.replace('.', '_')}_changelist")
            for query in ("", "?p=3", "?q=17"):
                name = f"{model._meta.model_name}{query}"
                told.setdefault(name, {})[user.username] = _took(client, url + query)
    slowest = max(times["slowest"] for pages in told.values() for times in pages.values())
    rows = {
        model._meta.model_name: model.objects.count() for model in (Pair, Judgment, Claim, Draw, AuditEntry)
    }
    return {"rows": rows, "slowest_ms": slowest, "pages_ms": told}


def _took(client: Any, url: str) -> dict[str, float]:
    times = []
    for _ in range(TIMES):
        began = time.monotonic()
        answer = client.get(url)
        times.append(1000 * (time.monotonic() - began))
        assert answer.status_code in (200, 302), (
            url,
            answer.status_code,
        )  # a page beyond the last leads back
    return {"median": round(median(times), 1), "slowest": round(max(times), 1)}


if __name__ == "__main__":
    main()
