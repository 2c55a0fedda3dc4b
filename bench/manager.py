"""Every page by which a project is run, at a million judgments: milliseconds and statements of each.

Two hundred annotators with accounts, twenty criteria and two thousand more that annotators wrote, a score for each
comparison, comparisons settled and spoken about, groups, a consent, invitations, and a million audit entries. Asked are the
pages as a manager of the project gets them, in this process, PostgreSQL apart, each ten times. Prints JSON.
"""

import argparse
import json
import math
import os
import time
from statistics import median
from typing import Any

from dashboard import THEN
from pairs import fill
from place import own_servers

TIMES = 10

PEOPLE = """
INSERT INTO annotate_user (username, password, first_name, last_name, email, is_superuser, is_staff, is_active, date_joined,
                           simulated)
SELECT 'judge-' || a.id, '!', '', '', '', false, false, true, now(), false
FROM annotate_annotator a WHERE a.project_id = %(project)s;
UPDATE annotate_annotator a SET user_id = u.id, judged_pairs = 5000, seen_at = now()
FROM annotate_user u WHERE a.project_id = %(project)s AND u.username = 'judge-' || a.id;
INSERT INTO annotate_membership (project_id, user_id, role)
SELECT %(project)s, user_id, 'annotator' FROM annotate_annotator WHERE project_id = %(project)s;
INSERT INTO annotate_invitation (project_id, role, email, tags, token_sha256, made_at, expires_at, uses_left)
SELECT %(project)s, 'annotator', 'judge-' || i || '@example.org', '{}', sha256(i::text::bytea), now(), now(), 1
FROM generate_series(1, 2000) i;
INSERT INTO annotate_annotatorgroup (project_id, kind, name, asked)
SELECT %(project)s, 'language', 'Language ' || i, true FROM generate_series(1, 6) i;
INSERT INTO annotate_groupmember (group_id, annotator_id, declared)
SELECT g.id, a.id, true FROM annotate_annotatorgroup g JOIN annotate_annotator a USING (project_id)
WHERE g.project_id = %(project)s AND (a.id + g.id) %% 3 = 0;
INSERT INTO annotate_consenttext (project_id, version, text, at) VALUES (%(project)s, 1, 'What we keep.', now());
INSERT INTO annotate_consent (annotator_id, text_id, given, at)
SELECT a.id, t.id, true, now() FROM annotate_annotator a JOIN annotate_consenttext t USING (project_id)
WHERE a.project_id = %(project)s;
INSERT INTO annotate_exclusion (annotator_id, reason, made_at)
SELECT id, 'Answers without looking.', now() FROM annotate_annotator WHERE project_id = %(project)s ORDER BY id LIMIT 3;
"""

WORDS = """
INSERT INTO annotate_criterion (project_id, text, text_key, author_id, state, in_library, created_at)
SELECT %(project)s, 'It names ' || i || ' of its ' || i %% 13 || ' sources.', sha256(('w' || i)::bytea),
       (SELECT min(id) FROM annotate_annotator WHERE project_id = %(project)s) + i %% 200,
       CASE WHEN i %% 2 = 0 THEN 'proposed' ELSE 'accepted' END, false, now()
FROM generate_series(1, 2000) i;
INSERT INTO annotate_comparison (pair_id, criterion_id, author_id, k, created_at)
SELECT p.id, t.id, t.author_id, 1, now()
FROM (SELECT id, author_id, row_number() OVER (ORDER BY id) AS i FROM annotate_criterion
      WHERE project_id = %(project)s AND author_id IS NOT NULL) t
JOIN (SELECT id, row_number() OVER (ORDER BY id) AS i FROM annotate_pair WHERE project_id = %(project)s) p USING (i);
CREATE TEMP TABLE spoken ON COMMIT DROP AS
SELECT s.comparison_id, s.annotator_id, row_number() OVER () AS i FROM annotate_seat s WHERE s.n = 1 LIMIT 20000;
INSERT INTO annotate_resolution (comparison_id, verdict, reason, reviewer_id, created_at)
SELECT comparison_id, 'response1', 'So it is.', annotator_id, now() FROM spoken;
INSERT INTO annotate_comment (comparison_id, author_id, annotator_id, to_all, text, created_at)
SELECT comparison_id, annotator_id, NULL, true, 'Look at the second line.', now() FROM spoken;
INSERT INTO annotate_revision (project_id, number, backend, state, problem, artefact, artefact_sha256, artefact_size,
                               read_at, newest_judgment, judgments, comparisons, held_out, seconds, scored_at, kept,
                               created_at)
VALUES (%(project)s, 1, 'builtin', 'ready', '', 'none', '\\x00', 1, now(), gen_random_uuid(), 1, 1, 0, 1, now(), true,
        now());
INSERT INTO annotate_score (revision_id, comparison_id, margin, p_tie, variance, bald)
SELECT r.id, c.id, (hashint8(c.id) %% 600) / 100.0, 0.1, 0.5, 0
FROM annotate_revision r, annotate_comparison c JOIN annotate_pair p ON p.id = c.pair_id
WHERE r.project_id = %(project)s AND p.project_id = %(project)s;
INSERT INTO annotate_auditentry (at, project_id, deed, subject, details)
SELECT now() - i * interval '1 second', %(project)s, 'pause project', 'pair ' || i %% 1000, '{}'
FROM generate_series(1, 3 * %(n)s) i;
SELECT count(evenhand_review(ids)) FROM (
    SELECT array_agg(DISTINCT comparison_id) AS ids FROM annotate_seat GROUP BY comparison_id / 1000) parts;
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--judgments", type=int, default=1_000_000)
    options = parser.parse_args()
    with own_servers():
        later = "SET LOCAL evenhand.review_later = 'on';"
        fill("measured", -(-options.judgments // 3), kept=True, then=later + THEN + PEOPLE + WORDS)
        print(json.dumps({"bench": "manager", **measure()}, indent=2))


def measure() -> dict[str, Any]:
    from django.core.management import call_command
    from django.db import connection
    from django.test import Client

    from annotate.actions.jobs import run_job
    from annotate.actions.reports import start_report
    from annotate.models import Judgment, Membership, Project, Role, User

    call_command("collectstatic", interactive=False, verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    project = Project.objects.get(slug="measured")
    began = time.monotonic()
    run_job(start_report(by=None, project=project, send_it=False).pk, by_hand=True)
    reported = round(time.monotonic() - began, 1)
    client = Client(headers={"Host": "localhost"})
    manager = User.objects.create(username="manager")
    Membership.objects.create(user=manager, project=project, role=Role.MANAGER)
    client.force_login(manager, backend="webapp.sessions.Accounts")
    told = {name: _asked(client, url) for name, url in _pages(project).items()}
    return {
        "judgments": Judgment.objects.count(),
        "load": [round(load, 1) for load in os.getloadavg()],
        "processors": os.cpu_count(),
        "report_s": reported,
        "slowest": max(told, key=lambda name: told[name]["p95_ms"]),
        "pages": told,
    }


def _pages(project: Any) -> dict[str, str]:
    """By name the page: those of the project, then the admin's."""
    from django.urls import reverse

    from annotate.models import Comment, Criterion, Membership, Report, ReviewItem
    from annotate.report_tables import tables_of

    def page(name: str, *more: Any) -> str:
        return reverse(name, args=[project.slug, *more])

    def listed(model: str) -> str:
        return f"{reverse(f'admin:annotate_{model}_changelist')}?project={project.pk}"

    conflicts = ReviewItem.objects.filter(strength__gt=0).order_by("-strength", "comparison")
    middle = conflicts[conflicts.count() // 2]
    most_judged, written = Criterion.objects.order_by("pk")[0], Criterion.objects.order_by("-pk")[0]
    tables = tables_of(Report.objects.get(project=project).content)
    return {
        "home": reverse("home"),
        "dashboard (quality, agreement, cost, criteria, leaderboard, groups, model)": page("dashboard"),
        "dashboard, what is asked while it is open": page("dashboard_state"),
        **{f"dashboard, {name}.csv": page("dashboard_table", name) for name in tables},
        "groups": page("groups"),
        "consent": page("dashboard_consent"),
        "audit": page("audit"),
        "audit, of one deed": f"{page('audit')}?deed=pause+project",
        "moderation": page("criteria"),
        "moderation, what waits": f"{page('criteria_list')}?show=proposed",
        "moderation, all": f"{page('criteria_list')}?show=all",
        "moderation, search": f"{page('criteria_list')}?show=all&holds=sources",
        "moderation, counts": page("criteria_counts"),
        "moderation, one that is judged everywhere": page("criterion", most_judged.pk),
        "moderation, one that was written": page("criterion", written.pk),
        "review": page("review"),
        "review, half-way": f"{page('review')}?after={middle.strength!r}:{middle.comparison_id}",
        "review, of one criterion": f"{page('review')}?criterion={most_judged.pk}",
        "review, model against people": f"{page('review')}?kind=model",
        "review, settled": f"{page('review')}?state=settled",
        "review, one": page("review_one", middle.comparison_id),
        "review, one with words": page("review_one", Comment.objects.order_by("pk")[0].comparison_id),
        "comments": page("comments"),
        "list of projects": reverse("admin:annotate_project_changelist"),
        "project": reverse("admin:annotate_project_change", args=[project.pk]),
        "member": reverse("admin:annotate_membership_change", args=[Membership.objects.order_by("pk")[0].pk]),
        "learning": reverse("admin:annotate_project_learning", args=[project.pk]),
        **{
            f"list of {model}s": listed(model)
            for model in ("membership", "annotator", "invitation", "criterion", "judgment", "job")
        },
    }


def _asked(client: Any, url: str) -> dict[str, float]:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    times = []
    for _ in range(TIMES):
        began = time.monotonic()
        with CaptureQueriesContext(connection) as statements:
            answer = client.get(url)
        times.append(1000 * (time.monotonic() - began))
        assert answer.status_code == 200, (url, answer.status_code)
    p95 = sorted(times)[math.ceil(0.95 * TIMES) - 1]
    return {
        "median_ms": round(median(times), 1),
        "p95_ms": round(p95, 1),
        "statements": len(statements),
        "bytes": len(answer.content),
    }


if __name__ == "__main__":
    main()
