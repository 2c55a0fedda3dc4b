"""How long the learning loop takes: to score the open pool by a revision, and to draw an epoch from it.

100,000 open comparisons (two criteria on 50,000 text pairs) and 2,000 judgments. Scoring is measured with the features
cached, as at every refit but the first: what a refit then costs is training, scoring and drawing. The features are
those of the embedded model; the embeddings in the cache are random rows of their shape, as the time that a model takes
for a text is no part of this. Prints JSON.
"""

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from pairs import fill, random_embeddings
from place import own_servers, postmaster, processor_seconds

# A second criterion on each pair, and judgments of the first `judged` pairs, which are drawn and done with.
THEN = """
INSERT INTO annotate_criterion (project_id, text, text_key, created_at)
VALUES (%(project)s, 'Which answer is shorter?', '\\x01', now());
INSERT INTO annotate_comparison (pair_id, criterion_id, k, created_at)
SELECT p.id, c.id, 3, now() FROM annotate_pair p JOIN annotate_criterion c USING (project_id)
WHERE p.project_id = %(project)s AND c.text_key = '\\x01';
INSERT INTO annotate_annotator (project_id, pseudonym, judged_pairs, created_at, seen_at)
SELECT %(project)s, 'annotator ' || n, 0, now(), now() FROM generate_series(1, 8) n;
INSERT INTO annotate_job (kind, project_id, state, attempts, spec, step, done, error, created_at)
VALUES ('import', %(project)s, 'done', 0, '{}', '', 0, '', now());
INSERT INTO annotate_dataimport (project_id, job_id, spec, position, visible, pairs_new, pairs_same, judgments_new,
                                 rows_refused, near_duplicates, report, created_at)
SELECT project_id, id, '{}', '{}', true, 0, 0, 0, 0, '[]', '[]', now() FROM annotate_job WHERE project_id = %(project)s;
UPDATE annotate_pair SET queued = true WHERE project_id = %(project)s AND external_id::int <= %(judged)s;
INSERT INTO annotate_judgment (id, annotator_id, comparison_id, verdict, tie_kind, broken, rationale, evidence, late,
                               authored, data_import_id, created_at)
SELECT gen_random_uuid(), a.id, c.id, CASE WHEN hashint8(c.id) %% 3 = 0 THEN 'response2' ELSE 'response1' END,
       '', '', '', '{}', false, false, i.id, now()
FROM annotate_comparison c JOIN annotate_pair p ON p.id = c.pair_id AND p.queued
JOIN annotate_annotator a ON a.project_id = p.project_id AND a.pseudonym = 'annotator 1'
JOIN annotate_dataimport i ON i.project_id = p.project_id WHERE p.project_id = %(project)s;
INSERT INTO annotate_seat (comparison_id, n, k, annotator_id, head_id)
SELECT c.id, 1, c.k, j.annotator_id, j.id FROM annotate_judgment j JOIN annotate_comparison c ON c.id = j.comparison_id;
UPDATE annotate_stream SET queued = %(judged)s WHERE project_id = %(project)s;
"""


def seconds(deed: Callable[[], Any]) -> dict[str, float]:
    """How long it took, and how much this process and PostgreSQL computed: the rest is a busy machine."""
    servers = postmaster()
    began, computed, served = time.monotonic(), time.process_time(), processor_seconds(servers)
    deed()
    return {
        "seconds": round(time.monotonic() - began, 3),
        "computed": round(time.process_time() - computed, 3),
        "postgresql": round(processor_seconds(servers) - served, 3),
    }


def measure(pairs: int, judged: int) -> dict[str, Any]:
    from annotate.actions.jobs import run_job
    from annotate.actions.learning import start_scoring, start_training
    from annotate.learning import freeze_pool
    from annotate.models import Draw, Project, Revision, Score
    from workers import loop

    fill("sampled", pairs + judged, kept=False, then=THEN, judged=judged)
    project = Project.objects.get(slug="sampled")
    random_embeddings()

    def train() -> Revision:
        run_job(start_training(by=None, project=project, send_it=False).pk, by_hand=True)
        return Revision.objects.filter(project=project).latest("number")

    def score(revision: Revision) -> None:
        run_job(start_scoring(by=None, revision=revision, send_it=False).pk, by_hand=True)

    told: dict[str, Any] = {"train": seconds(train)}
    first = Revision.objects.get(project=project)
    told["score, form features new"] = seconds(lambda: score(first))
    train()
    second = Revision.objects.latest("number")
    told["score, features cached"] = seconds(lambda: score(second))
    told["scored"] = Score.objects.filter(revision=second).count()
    pool = freeze_pool(second)
    told["pool"] = len(pool)
    told["freeze"] = seconds(lambda: freeze_pool(second))
    told["choose"] = seconds(lambda: loop.choose(pool, 160, 0.2, np.random.default_rng(0)))
    epochs = []
    for _ in range(5):
        epochs.append(seconds(lambda: loop.draw(project)))
        Draw.objects.filter(project=project).update(open=False)
    told["epoch"] = sorted(epochs, key=lambda epoch: epoch["seconds"])[2]
    told["draws an epoch"] = Draw.objects.filter(project=project).count() // 5
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=50_000)
    parser.add_argument("--judged", type=int, default=1_000)
    options = parser.parse_args()
    with own_servers():
        print(json.dumps(measure(options.pairs, options.judged), indent=2))


if __name__ == "__main__":
    main()
