"""How long it takes from a refit to the next epoch's draws where a million comparisons are open, and what claims feel of it.

The pool is ranked by two models: the head over 256 kept features of a large model, and the embedded one, which sees 404 numbers
of a text pair. Their features are random rows in the tables that scoring fills: what it takes to describe a comparison, which is
done once, is measured apart, on a few thousand, without the time that an embedding takes. Each ranking is a process of its own;
its peak memory is counted beyond what it had before. Claims are made by one process alone, beside one that ranks
again and again, and beside some that compute as much, as nicely, and ask the database nothing: what is slower than that is not
the cores. These three take turns, several times over, so that a machine that has other things to do disturbs them alike. A
quarter of the pool tells how memory grows. Prints JSON.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
from pairs import fill
from place import own_servers, postmaster, processor_seconds

KEPT = "phi-random"
WIDTH = 256
LABELS = 1000
DRAWS = 160  # of an epoch: eight annotators at work
CHUNK = 20_000
TURNS = 3

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
SELECT project_id, id, '{}', '{}', true, 0, 0, 0, 0, '{}', '[]', now() FROM annotate_job WHERE project_id = %(project)s;
UPDATE annotate_pair SET queued = true WHERE project_id = %(project)s AND external_id::int <= %(judged)s;
INSERT INTO annotate_judgment (id, annotator_id, comparison_id, verdict, tie_kind, broken, rationale, evidence, late,
                               authored, data_import_id, created_at)
SELECT gen_random_uuid(), a.id, c.id, CASE WHEN hashint8(c.id) %% 3 = 0 THEN 'response2' ELSE 'response1' END,
       '', '', '', '{}', false, false, i.id, now()
FROM annotate_comparison c JOIN annotate_pair p ON p.id = c.pair_id AND p.queued
JOIN annotate_annotator a ON a.project_id = p.project_id AND a.pseudonym = 'annotator 1'
JOIN annotate_dataimport i ON i.project_id = p.project_id WHERE p.project_id = %(project)s;
INSERT INTO annotate_seat (comparison_id, n, k, annotator_id, head_id)
SELECT c.id, 1, c.k, j.annotator_id, j.id FROM annotate_judgment j JOIN annotate_comparison c ON c.id = j.comparison_id
JOIN annotate_annotator a ON a.id = j.annotator_id AND a.project_id = %(project)s;
UPDATE annotate_stream SET queued = %(judged)s WHERE project_id = %(project)s;
"""


def seconds(deed: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """What it returned, how long it took, and how much this process and PostgreSQL computed: the rest is a busy machine."""
    servers = postmaster()
    began, computed, served = time.monotonic(), time.process_time(), processor_seconds(servers)
    done = deed()
    return done, {
        "seconds": round(time.monotonic() - began, 3),
        "computed": round(time.process_time() - computed, 3),
        "postgresql": round(processor_seconds(servers) - served, 3),
    }


def peak_mb() -> float:
    """The most memory that this process ever had."""
    [line] = [one for one in Path("/proc/self/status").read_text().splitlines() if one.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


def set_up() -> None:
    """A spawned process, on the servers of the one that measures."""
    import django

    django.setup()


def models() -> dict[str, Any]:
    """Trained on as many labels of noise as make each as large as it gets."""
    import numpy as np

    from workers.features import feature_cache
    from workers.reward_models.builtin import BuiltinModel, Described, Part
    from workers.reward_models.cached import CachedModel
    from workers.reward_models.criteria import criterion_vectors
    from workers.reward_models.features import minilm, text
    from workers.reward_models.head import Differences

    rng = np.random.default_rng(0)
    verdicts = rng.choice(np.array([-1, 0, 1], dtype=np.int8), LABELS)
    criteria = ["Which answer follows the instruction more closely?", "Which answer is shorter?"]
    vectors = criterion_vectors(criteria, feature_cache())
    rows = noise(rng, LABELS, len(text.NAMES) + minilm.WIDTH)
    differences = Differences(rows[:, : len(text.NAMES)], rows[:, len(text.NAMES) :])
    part = Part(np.arange(LABELS), differences)
    described = Described(criteria, vectors, rng.integers(0, 2, LABELS), {"text": part})
    return {
        "cached": CachedModel.fit(KEPT, noise(rng, LABELS, WIDTH), verdicts),
        "builtin": BuiltinModel.fit(described, verdicts),
    }


def noise(rng: Any, count: int, width: int) -> Any:
    import numpy as np

    return rng.standard_normal((count, width), dtype=np.float32)


def embed(texts: list[str]) -> None:
    """Random rows in the cache: the time that a model takes for a text is no part of what is measured."""
    import numpy as np

    from workers.features import feature_cache
    from workers.reward_models.features import minilm

    rng = np.random.default_rng(1)
    rows = noise(rng, len(texts), minilm.WIDTH)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    keys = [hashlib.sha256(one.encode()).digest() for one in texts]
    feature_cache().put(minilm.VERSION, dict(zip(keys, rows.astype(np.float16), strict=True)))


def register(project: Any, model: Any) -> int:
    """A revision of this model that has scored the pool."""
    from django.utils import timezone

    from annotate.models import Revision
    from workers import artefacts

    artefact = artefacts.store(model, artefacts.new_folder())
    number = Revision.objects.filter(project=project).count() + 1
    return Revision.objects.create(
        project=project,
        number=number,
        backend=model.name,
        artefact=artefact.key,
        artefact_sha256=artefact.sha256,
        artefact_size=artefact.size,
        ranks=True,
        read_at=timezone.now(),
        scored_at=timezone.now(),
        newest_judgment=uuid4(),
        judgments=LABELS,
        comparisons=LABELS,
        seconds=0,
    ).pk


def fill_tables(project: Any, rows: Any, built: dict[str, Any]) -> dict[str, Any]:
    """Random features of all that is open; what describing a few thousand for real takes."""
    import numpy as np

    from workers.feature_table import FeatureTable
    from workers.features import feature_cache
    from workers.items import compared

    units = list(zip(rows["pair"][:4096].tolist(), rows["criterion"][:4096].tolist(), strict=True))
    items = compared(units)
    embed(sorted({said for item in items for said in (item.prompt_text, item.first.text, item.second.text)}))
    seen, took = seconds(lambda: built["builtin"].features(compared(units), cache=feature_cache()))
    [(layout, (_, described))] = seen.rows.items()
    rng = np.random.default_rng(2)
    for name, width in ((KEPT, WIDTH), (layout, described.shape[1])):
        table = FeatureTable(project.pk, name)
        for start in range(0, len(rows), CHUNK):
            some = rows[start : start + CHUNK]
            table.append(some["comparison"], some["criterion"], noise(rng, len(some), width))
    return took | {"comparisons": len(units)}


def rank(revision: int, results: Any) -> None:
    """Put what one process needs to rank the pool, to choose an epoch and to write it."""
    set_up()
    import numpy as np

    from annotate.actions.queue import append_epoch
    from annotate.models import Revision
    from workers import loop, ranking

    row = Revision.objects.select_related("project").get(pk=revision)
    before = psutil.Process().memory_info().rss / 2**20
    pool, ranked = seconds(lambda: ranking.freeze(row))
    chosen, choosing = seconds(lambda: loop.choose(pool, DRAWS, 0.2, np.random.default_rng(0)))
    peak = peak_mb()
    drawn, writing = seconds(
        lambda: append_epoch(row.project_id, want=DRAWS, drawn=pool.drawn, chosen=chosen)
    )
    assert pool.unscored == 0 and drawn == DRAWS
    results.put(
        {
            "comparisons": len(pool.comparisons),
            "rank": ranked,
            "choose": choosing,
            "write draws": writing,
            "peak MB beyond the start": round(peak - before),
        }
    )


def rank_on(revision: int, ready: Any, until: Any) -> None:
    """Rank again and again, from the first pool on."""
    set_up()
    from annotate.models import Revision
    from workers import ranking

    row = Revision.objects.select_related("project").get(pk=revision)
    while not until.is_set():
        ranking.freeze(row)
        ready.set()


def compute_on(share: float, nice: int, ready: Any, until: Any) -> None:
    """Compute for this share of the time."""
    os.nice(nice)
    ready.set()
    while not until.is_set():
        began = time.monotonic()
        while time.monotonic() - began < 0.05 * share:
            pass
        time.sleep(0.05 * (1 - share))


def claim(project_id: int, lasts: float) -> dict[str, float]:
    """Claims a second, each given back, and what one cost this process and its connection's."""
    from django.db import connection

    from annotate.actions.queue import claim_next, skip_claim
    from annotate.models import Annotator

    annotators = list(Annotator.objects.filter(project=project_id).select_related("project"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        backend = psutil.Process(cursor.fetchone()[0])

    def spent() -> float:
        times = backend.cpu_times()
        return time.process_time() + times.user + times.system

    began, before, count = time.monotonic(), spent(), 0
    while time.monotonic() - began < lasts:
        annotator, claim_id = annotators[count % len(annotators)], uuid4()
        if claim_next(annotator=annotator, claim_id=claim_id) is None:
            raise SystemExit("The queue ran dry: fill it further.")
        skip_claim(annotator=annotator, claim_id=claim_id, reason="other")
        count += 1
    took = time.monotonic() - began
    return {
        "claims a second": round(count / took, 1),
        "computed a claim, ms": round(1000 * (spent() - before) / count, 2),
    }


def claims(project_id: int, revision: int, ranked: dict[str, float], lasts: float) -> dict[str, Any]:
    from annotate.actions.queue import fill_queue
    from workers.ranking import NICE

    context = multiprocessing.get_context("spawn")
    fill_queue(project_id, 4000)
    claim(project_id, 1)  # plans are made
    own, served = (ranked[name] / ranked["seconds"] for name in ("computed", "postgresql"))
    threads = os.cpu_count() or 1
    # PostgreSQL is as nice to a ranking as to a claim.
    as_much = [(compute_on, (min(own / threads, 1), NICE))] * threads + [(compute_on, (min(served, 1), 0))]
    beside: dict[str, list[tuple[Any, tuple[Any, ...]]]] = {
        "alone": [],
        "beside as much computing": as_much,
        "beside ranking": [(rank_on, (revision,))],
    }
    turns: dict[str, list[dict[str, float]]] = {name: [] for name in beside}
    for _ in range(TURNS):
        for name, work in beside.items():
            until = context.Event()
            started = []
            for target, arguments in work:
                ready = context.Event()
                process = context.Process(target=target, args=(*arguments, ready, until))
                process.start()
                started.append((process, ready))
            for _, ready in started:
                ready.wait(600)
            turns[name].append(claim(project_id, lasts / TURNS))
            until.set()
            for process, _ in started:
                process.join()
    told: dict[str, Any] = {
        name: {figure: statistics.median(one[figure] for one in found) for figure in found[0]}
        for name, found in turns.items()
    }

    def slower(than: str) -> float:
        return round(1 - told["beside ranking"]["claims a second"] / told[than]["claims a second"], 3)

    told["slowed"] = slower("alone")
    told["slowed beyond the cores"] = slower("beside as much computing")
    told["cores that ranking takes"] = round(own + served, 2)
    return told


def measure(comparisons: int, lasts: float) -> dict[str, Any]:
    from annotate.learning import open_comparisons
    from annotate.models import Project

    context = multiprocessing.get_context("spawn")
    built = models()
    told: dict[str, Any] = {"load before": os.getloadavg()[0]}
    for size in (comparisons // 4, comparisons):
        slug = f"open-{size}"
        fill(slug, size // 2 + LABELS // 2, kept=False, then=THEN, judged=LABELS // 2)
        project = Project.objects.get(slug=slug)
        _, rows = open_comparisons(project.pk)
        told["describe"] = fill_tables(project, rows, built)
        for name, model in built.items():
            revision = register(project, model)
            results = context.SimpleQueue()
            process = context.Process(target=rank, args=(revision, results))
            process.start()
            told[f"{name}, {size:,}"] = results.get()
            process.join()
            # Drawn once more by the next model: as if nothing stood in the queue.
            project.draws.update(open=False)
    cached = project.revisions.get(backend="cached").pk
    told["claims"] = claims(project.pk, cached, told[f"cached, {comparisons:,}"]["rank"], lasts)
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--comparisons", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=15, help="of claims, each of three ways")
    options = parser.parse_args()
    with own_servers():
        print(json.dumps(measure(options.comparisons, options.seconds), indent=2))


if __name__ == "__main__":
    main()
