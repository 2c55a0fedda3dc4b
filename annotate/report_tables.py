"""A report's figures as flat tables: what a spreadsheet takes."""

from typing import Any

Row = dict[str, Any]


def tables_of(content: dict[str, Any]) -> dict[str, list[Row]]:
    """Rows by table. A figure fills four columns: its value, the ends of its 95 % interval, and why one is missing."""
    agreement = content["agreement"]
    tables = {
        "progress": content["progress"]["by_task_type"],
        "throughput": content["progress"]["days"],
        "agreement": [
            {"of": "all"} | agreement["overall"],
            *({"of": row["task_type"]} | _without(row, "task_type") for row in agreement["by_task_type"]),
        ],
        "agreement-over-time": agreement["over_time"],
        "annotator-pairs": [
            {"annotator": row["annotators"][0], "other": row["annotators"][1]} | _without(row, "annotators")
            for row in agreement["by_pair"]
        ],
        "annotators": content["annotators"]["rows"],
        "criteria": content["criteria"]["rows"],
        # Reports of before they were told have none.
        "cost": [content["cost"]] if "cost" in content else [],
        "reward-model": content.get("revisions", []),
        "groups": [
            {"kind": part["kind"]} | row for part in content.get("groups", []) for row in part["groups"]
        ],
        "groups-by-criterion": [
            {"kind": part["kind"]} | row
            for part in content.get("groups", [])
            for row in part["criteria"]["rows"]
        ],
        "groups-by-comparison": [
            {"kind": part["kind"]} | _without(row, "votes") | {"votes": _votes(row["votes"])}
            for part in content.get("groups", [])
            for row in part["comparisons"]["rows"]
        ],
        "leaderboards": [
            {"of": board["kind"], "title": board["title"]} | row
            for board in content["leaderboards"]
            for row in board["rows"]
        ],
    }
    return {name: [_flat(row) for row in rows] for name, rows in tables.items()}


def _votes(votes: list[Row]) -> str:
    """Who said what, in one cell."""
    return "; ".join(
        f"{row['group']}: {row['response1']} response1, {row['response2']} response2, {row['tie']} tie"
        for row in votes
    )


def _without(row: Row, name: str) -> Row:
    return {key: value for key, value in row.items() if key != name}


def _flat(row: Row) -> Row:
    flat: Row = {}
    for name, value in row.items():
        if name == "labels" and isinstance(value, dict):
            flat |= {f"labels_{label}": value.get(label, 0) for label in _LABELS}
        elif isinstance(value, dict):
            flat |= {name: value["value"], f"{name}_low": value["low"], f"{name}_high": value["high"]}
            flat[f"{name}_why"] = value["why"]
        else:
            flat[name] = value
    return flat


_LABELS = ("response1", "response2", "tie", "no_consensus")
