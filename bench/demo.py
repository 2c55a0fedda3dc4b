"""What the demo project costs: making it on an empty installation, as `manage.py make_demo` does.

    python bench/demo.py

Prints one JSON object: wall time, processor time of this process and its children (the servers are not among them),
how many pairs, files and judgments there are, bytes in storage by what they are, and whether time and bytes are within
the limits that the demo is made for.
"""

import json
import os
import resource
import time
from collections import Counter
from io import StringIO
from pathlib import Path
from typing import Any

from place import own_servers


def processor_seconds() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def measure(media: Path) -> dict[str, Any]:
    from django.core.management import call_command

    from annotate.demo import plan
    from annotate.models import Asset, Derivative, Judgment, Pair

    began, before = time.monotonic(), processor_seconds()
    call_command("make_demo", stdout=StringIO())
    seconds, processor = time.monotonic() - began, processor_seconds() - before
    weight: Counter[str] = Counter()
    for modality, size in Asset.objects.values_list("modality", "size"):
        weight[f"{modality} original"] += size
    for modality, kind, size in Derivative.objects.values_list("asset__modality", "kind", "size"):
        weight[f"{modality} {kind}"] += size
    stored = sum(path.stat().st_size for path in media.rglob("*") if path.is_file())
    return {
        "within_limits": seconds < plan.MAX_SECONDS and stored < plan.MAX_BYTES,
        "limits": {"seconds": plan.MAX_SECONDS, "stored_bytes": plan.MAX_BYTES},
        "seconds": round(seconds, 1),
        "processor_seconds": round(processor, 1),
        "pairs": Pair.objects.count(),
        "judged_pairs": Pair.objects.filter(comparisons__judgments__isnull=False).distinct().count(),
        "judgments": Judgment.objects.count(),
        "files": Asset.objects.count(),
        "stored_bytes": stored,
        "bytes_by_kind": dict(sorted(weight.items())),
        "cpus": os.cpu_count(),
        "load": os.getloadavg()[0],
    }


def main() -> None:
    with own_servers() as place:
        print(json.dumps(measure(place / "data" / "media"), indent=1))


if __name__ == "__main__":
    main()
