"""How long it takes to find the criteria that mean nearly the same, among ten thousand of a project and a hundred thousand.

The vectors are drawn at random, of length 1: an exact comparison takes as long whatever they say. Prints JSON.
"""

import argparse
import json
import time

from place import own_servers

FILL = """
INSERT INTO annotate_criterion (project_id, text, text_key, created_at)
SELECT %(project)s, 'Criterion ' || i, i::text::bytea, now() FROM generate_series(1, %(count)s) i;
INSERT INTO annotate_criterionembedding (criterion_id, revision, vector)
SELECT t.id, 'bench', (SELECT array_agg(random() - 0.5) FROM generate_series(1, 384) WHERE t.id > 0)::vector
FROM annotate_criterion t WHERE project_id = %(project)s;
ANALYZE annotate_criterion; ANALYZE annotate_criterionembedding;
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--criteria", type=int, nargs="+", default=[10_000, 100_000])
    options = parser.parse_args()
    with own_servers():
        from django.db import connection

        from annotate.actions.projects import create_project
        from annotate.meaning import near_criterion
        from annotate.models import Criterion

        told = []
        for count in options.criteria:
            project = create_project(by=None, slug=f"of-{count}", name="Measured")
            with connection.cursor() as cursor:
                cursor.execute("SET statement_timeout = 0")
                cursor.execute(FILL, {"project": project.pk, "count": count})
            first = Criterion.objects.filter(project=project).earliest("pk").pk
            took = []
            for place in range(9):
                began = time.monotonic()
                near_criterion(project, first + place, 6)
                took.append(time.monotonic() - began)
            told.append({"criteria": count, "milliseconds": round(1000 * sorted(took)[4], 1)})
        print(json.dumps({"bench": "meaning", "exact": told}, indent=2))


if __name__ == "__main__":
    main()
