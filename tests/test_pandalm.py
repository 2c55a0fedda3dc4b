"""Real pairs from import to benchmark: PandaLM's 999 test pairs with three annotators each, against its figures."""

import json
from collections import Counter
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from annotate.integrity import violations
from annotate.models import Comparison, Judgment, Partition
from tests.offline_datasets import load_dataset
from tests.paths import ROOT, SHARED_DATA, needs_shared_data

SOURCE = SHARED_DATA / "text" / "pandalm-testset-v1.json"
OF_ANNOTATOR = {"0": "tie", "1": "response1", "2": "response2"}


@needs_shared_data
@pytest.mark.django_db(transaction=True)
def test_pandalm_from_file_to_benchmark(tmp_path: Path) -> None:
    call_command(
        "import_pairs",
        str(SOURCE),
        "--project=pandalm",
        "--create",
        "--task-type=text_to_text",
        "--reserve-share=1",
        f"--mapping={ROOT / 'docs/examples/pandalm.yaml'}",
        f"--report={tmp_path / 'refused.jsonl'}",
        stdout=StringIO(),
    )
    assert Judgment.objects.count() == 3 * 999
    assert violations() == {}
    assert set(Comparison.objects.values_list("pair__partition", flat=True)) == {Partition.RESERVE}

    said = StringIO()
    call_command("agreement", "--project=pandalm", "--json", stdout=said)
    report = json.loads(said.getvalue())
    assert round(report["overall"]["alpha"]["value"], 4) == 0.8642
    # By another way: 2,000 resamples of the 999 rows, each asked of the package krippendorff: 0.8409 to 0.8866.
    assert report["overall"]["alpha"]["low"] == pytest.approx(0.8409, abs=0.003)
    assert report["overall"]["alpha"]["high"] == pytest.approx(0.8866, abs=0.003)
    assert report["overall"]["unanimous"] == 879
    assert report["overall"]["labels"] == {"response1": 422, "response2": 472, "tie": 105}
    assert report["by_task_type"]["text_to_text"]["alpha"] == report["overall"]["alpha"]
    assert [entry["comparisons"] for entry in report["by_criterion"]] == [999]

    out = tmp_path / "release"
    call_command("export_bench", "--project=pandalm", f"--out={out}", "--min-labels=3", stdout=StringIO())

    counts = {"response1": 422, "response2": 472, "tie": 105}
    manifest = json.loads((out / "MANIFEST.json").read_text())
    assert manifest["counts"]["bench"] == {"text_to_text": {"labels": counts, "excluded": {}}}
    assert "| text_to_text | 999 | 2997 | 999 | 879 |" in (out / "README.md").read_text()
    rows = load_dataset(str(out), "text_to_text", split="test", cache_dir=str(tmp_path / "cache"))
    assert Counter(rows["criteria_preference"]) == counts
    judgments = load_dataset(str(out), "judgments", split="raw", cache_dir=str(tmp_path / "cache"))
    assert len(set(judgments["annotator"])) == 3

    # Row by row against the file itself.
    published = {str(row["idx"]): row for row in json.loads(SOURCE.read_text())}
    for row in rows:
        given = published[row["id"].split("/")[1]]
        (label, times), *_ = Counter(str(given[f"annotator{n}"]) for n in (1, 2, 3)).most_common(1)
        assert times > 1
        assert row["criteria_preference"] == OF_ANNOTATOR[label]
        # One answer stands in the file as the JSON value true.
        assert (row["response1"], row["response2"]) == (str(given["response1"]), str(given["response2"]))
        assert row["model1"] == given["cmp_key"].split("_")[0]
