"""The results of an evaluation for people: Markdown, and one HTML file with plots that loads nothing."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

from workers.evaluation.measures import WITH_TIES, WITHOUT_TIES
from workers.evaluation.plots import intervals, reliability

_PROTOCOLS = {
    "without_ties": (
        "Without ties",
        "Rows whose label is a tie are left out, and the judge has to choose",
        WITHOUT_TIES,
    ),
    "with_ties": ("With ties", "All rows; a verdict must name the winner or the tie", WITH_TIES),
}
FEW = 10  # prompts of a task, below which its interval is not to be gone by
_ORDERS = {
    "consistent": "same verdict in both orders",
    "both_correct": "right in both orders",
    "leaning": "position bias: +1 always what is shown first, -1 always what is second",
}
_COUNTS = {
    "rows": "rows",
    "ties": "ties",
    "groups": "prompts",
    "unreadable": "unreadable",
    "error": "errors",
    "unsupported": "unsupported",
}

# Its heading, what to know of it, the header, the rows.
Table = tuple[str, str, list[str], list[list[str]]]


def markdown(results: dict[str, Any]) -> str:
    lines = [f"# {results['judge']['title']} on {results['bench']['name']}", "", *_facts(results), ""]
    for title, note, header, rows in _tables(results):
        lines += [
            f"## {title}",
            "",
            *([note, ""] if note else []),
            _row(header),
            _row(["---", *["---:"] * (len(header) - 1)]),
        ]
        lines += [*map(_row, rows), ""]
    return "\n".join(lines)


def html(results: dict[str, Any]) -> str:
    """A page of its own: nothing in it is run, and what a benchmark or a judge said is text."""
    title = f"{results['judge']['title']} on {results['bench']['name']}"
    parts = [f"<h1>{escape(title)}</h1>", *(f"<p>{escape(line)}</p>" for line in _facts(results) if line)]
    parts.append(
        f'<figure tabindex="0" role="group" aria-label="Accuracy by task">'
        f"{_accuracy_plot(results)}<figcaption>Accuracy with 95 % intervals by prompt:"
        ' <b class="first">without ties</b>, <b class="second">with ties</b>.</figcaption></figure>'
    )
    for name, found in (results.get("calibration") or {}).items():
        if found:
            says = f"{name}: expected calibration error {found['error']:.3f} of {found['n']:,} decided rows"
            parts.append(
                f"<figure class='half'>{reliability(found, says)}<figcaption>{escape(says)}</figcaption></figure>"
            )
    for heading, note, header, rows in _tables(results):
        head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in header)
        body = "".join(
            f'<tr><th scope="row">{escape(row[0])}</th>'
            + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
            + "</tr>"
            for row in rows
        )
        parts.append(f"<h2>{escape(heading)}</h2>" + (f'<p class="soft">{escape(note)}</p>' if note else ""))
        parts.append(f'<div class="wide" tabindex="0" role="region" aria-label="{escape(heading)}">')
        parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main>{''.join(parts)}</main></body></html>\n"
    )


_STYLE = """
:root { color-scheme: light dark; --ink: #1b1b1a; --soft: #5f5e5a; --line: #dddbd5; --paper: #fff; --second: #8a5a00; }
@media (prefers-color-scheme: dark) { :root { --ink: #ecebe7; --soft: #a9a7a0; --line: #3b3a37; --paper: #1a1a19; --second: #e0a63c; } }
body { background: var(--paper); color: var(--ink); font: 15px/1.55 system-ui, sans-serif; margin: 0; }
main { max-width: 860px; margin: 0 auto; padding: 36px 18px 60px; }
h1 { font-size: 24px; line-height: 1.25; overflow-wrap: anywhere; } h2 { font-size: 17px; margin: 32px 0 8px; }
p { max-width: 76ch; overflow-wrap: anywhere; margin: 4px 0; } figure { margin: 24px 0; overflow-x: auto; } figcaption { color: var(--soft); font-size: 13px; }
.half { display: inline-block; vertical-align: top; max-width: 360px; margin: 12px 24px 12px 0; } .soft { color: var(--soft); font-size: 14px; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; }
th, td { padding: 4px 14px 4px 0; text-align: left; border-top: 1px solid var(--line); white-space: nowrap; font-weight: 400; }
thead th { color: var(--soft); border-top: 0; font-size: 12.5px; } tbody th { white-space: normal; min-width: 150px; }
svg { max-width: none; display: block; } svg text { fill: var(--ink); font: 12px system-ui, sans-serif; } svg text.soft { fill: var(--soft); }
.grid, .diagonal { stroke: var(--line); } .frame { fill: none; stroke: var(--line); }
line.first { stroke: var(--ink); stroke-width: 2.5; } circle.first { fill: var(--ink); } circle.second { fill: var(--second); }
line.second { stroke: var(--second); stroke-width: 2.5; } b.second { color: var(--second); }
"""


def _facts(results: dict[str, Any]) -> list[str]:
    bench, judge, counts = results["bench"], results["judge"], results["counts"]["all"]
    lines = [
        f"{counts['rows']:,} rows of {counts['groups']:,} prompts, {counts['ties']:,} of them ties; benchmark"
        f" {bench['digest'][:16]}, judged {results['at'][:10]}.",
        "Judge: "
        + "; ".join(f"{name} {_plain(value)}" for name, value in judge.items() if value not in ("", None, []))
        + ".",
        f"No verdict: {counts['unreadable']:,} rows with a reply that could not be read"
        f" ({_share(counts['unreadable_verdicts'], counts['asked'])} of all verdicts asked for), {counts['error']:,} with an"
        f" error, {counts['unsupported']:,} of a modality that it cannot see. The first two count as wrong; a task with one"
        " of the last is not supported, and stands in no mean.",
    ]
    if results["counts"]["why"]:
        whys = "; ".join(f"{why} ({count:,})" for why, count in list(results["counts"]["why"].items())[:5])
        lines.append(f"Why: {whys}.")
    if tokens := results.get("tokens"):
        cost = results.get("cost")
        lines.append(
            f"{tokens['replies']:,} replies, {tokens['in']:,} tokens in and {tokens['out']:,} out"
            + (f", which cost {cost:.4f}" if cost is not None else "")
            + f"; {tokens['spent_in'] + tokens['spent_out']:,} of these tokens were paid for by this run."
        )
    lines.append(
        "Intervals: 95 %, percentile bootstrap over prompts within each task. Macro is the unweighted mean of the tasks"
        " that the judge supports (OmniRewardBench's overall), micro the mean over their rows."
    )
    few = [
        f"{task} ({one['groups']})" for task, one in results["counts"]["tasks"].items() if one["groups"] < FEW
    ]
    if few:
        lines.append(
            f"Of fewer than {FEW} prompts: {', '.join(few)}. A bootstrap of so few tells too narrow an interval: do not go"
            " by those, nor much by that of the macro mean, in which they weigh as much as any other task."
        )
    return lines


def _tables(results: dict[str, Any]) -> Iterator[Table]:
    tasks = list(results["counts"]["tasks"])
    for protocol, (title, meaning, ways) in _PROTOCOLS.items():
        found = results["accuracy"].get(protocol)
        if found and found["ways"]:
            names = list(found["ways"])
            header = ["", *(f"{name}{' *' if name == found['headline'] else ''}" for name in names)]
            rows = [
                [task, *(_figure(found["ways"][name]["tasks"].get(task)) for name in names)] for task in tasks
            ]
            rows += [
                [mean, *(_figure(found["ways"][name][mean]) for name in names)] for mean in ("macro", "micro")
            ]
            meant = "; ".join(f"{name}: {ways[name]}" for name in names)
            yield title, f"{meaning}. {meant}.", header, rows
    if orders := results.get("orders"):
        header = ["", *orders]
        rows = [[task, *(_figure(orders[name]["tasks"].get(task)) for name in orders)] for task in tasks]
        rows += [[mean, *(_figure(orders[name][mean]) for name in orders)] for mean in ("macro", "micro")]
        note = "; ".join(f"{name}: {meaning}" for name, meaning in _ORDERS.items())
        yield "Both orders", f"{note}.", header, rows
    counts = results["counts"]
    header = ["", *_COUNTS.values()]
    rows = [[task, *(f"{one[name]:,}" for name in _COUNTS)] for task, one in counts["tasks"].items()]
    yield "What was judged", "", header, [*rows, ["all", *(f"{counts['all'][name]:,}" for name in _COUNTS)]]
    if against := results.get("against"):
        for protocol, found in against["differences"].items():
            rows = [[task, _figure(found["tasks"].get(task), signed=True), ""] for task in tasks]
            rows += [
                [mean, _figure(found[mean], signed=True), _p(found[f"p_{mean}"])]
                for mean in ("macro", "micro")
            ]
            note = f"{_PROTOCOLS[protocol][0]}, row by row; p by exchanging the two judges prompt by prompt."
            yield f"More often right than {against['title']}", note, ["", "difference", "p"], rows


def _accuracy_plot(results: dict[str, Any]) -> str:
    series = [("first", "without_ties"), ("second", "with_ties")]

    def figures_of(task: str) -> Sequence[tuple[str, dict[str, Any] | None]]:
        drawn = []
        for kind, protocol in series:
            found = results["accuracy"].get(protocol)
            if found and found["headline"]:
                way = found["ways"][found["headline"]]
                drawn.append((kind, way[task] if task in ("macro", "micro") else way["tasks"].get(task)))
        return drawn

    rows = [(task, figures_of(task)) for task in (*results["counts"]["tasks"], "macro", "micro")]
    return intervals(rows, "Accuracy by task, without and with ties; the table below has the figures")


def _figure(found: dict[str, Any] | None, *, signed: bool = False) -> str:
    if found is None:
        return "-"
    form = "+.3f" if signed else ".3f"
    return f"{found['value']:{form}} ({found['low']:{form}} to {found['high']:{form}})"


def _p(value: float | None) -> str:
    return "-" if value is None else ("< 0.001" if value < 0.001 else f"{value:.3f}")


def _share(part: int, of: int) -> str:
    return f"{100 * part / of:.1f} %" if of else "-"


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in cells) + " |"
