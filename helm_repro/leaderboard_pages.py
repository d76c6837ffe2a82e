"""One page per leaderboard in ``docs/leaderboards``, written from the catalogue alone.

``helm-repro docs`` writes them, a test fails when one is out of date.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from helm_repro.catalogue import Catalogue, Environment, Leaderboard
from helm_repro.catalogue.models import Caveat

FOLDER = "docs/leaderboards"
_HELM = "https://github.com/stanford-crfm/helm"
_JUDGE = "openai/gpt-4o-2024-11-20"
_FAILURES = {"run-fails": "the run fails", "score-missing": "HELM only logs it; preflight stops"}
_KINDS = {
    "dead-data": "Data that is gone",
    "fragile-data": "Data that may fail to arrive",
    "retired-judge": "Judges that were withdrawn",
    "needs-service": "Services",
    "recipe": "The recipe itself",
    "cost": "Cost",
    "security": "Security",
}


def pages(catalogue: Catalogue) -> dict[str, str]:
    """File name relative to the repository -> text, for every leaderboard and the index."""
    boards = list(catalogue.leaderboards.values())
    texts = {f"{FOLDER}/{board.id}.md": _page(catalogue, board) for board in boards}
    return {f"{FOLDER}/README.md": _index(catalogue, boards), **texts}


def _index(catalogue: Catalogue, boards: Sequence[Leaderboard]) -> str:
    rows = (
        f"| [`{board.id}`]({board.id}.md) | {board.title} | {_entries(catalogue, board)} "
        f"| {catalogue.environment_of(board).helm_version} | {_lost(board)} | {board.status} |"
        for board in boards
    )
    lines = [
        *("# Leaderboards", "", "Written by `helm-repro docs`. `helm-repro show ID` prints the same facts.", ""),
        "| id | leaderboard | run entries | HELM | judges withdrawn, data gone | status |",
        *("|---|---|---|---|---|---|", *rows, ""),
        *("What stands between a page of HELM's and a score is explained in [traps](../traps.md).", ""),
    ]
    return "\n".join(lines)


def _lost(board: Leaderboard) -> str:
    judges = [f"{judge.model} ({judge.retired})" for judge in board.judges if judge.retired]
    data = [f"{c.what} ({c.since})" if c.since else c.what for c in board.caveats if c.skip]
    return "; ".join([*judges, *data])


def _entries(catalogue: Catalogue, board: Leaderboard) -> str:
    entries = catalogue.entries(board)
    selected = sum(entry.priority is None or entry.priority <= board.priority for entry in entries)
    return str(selected) if selected == len(entries) else f"{selected} of {len(entries)}"


def _page(catalogue: Catalogue, board: Leaderboard) -> str:
    environment = catalogue.environment_of(board)
    parts = [
        [f"# {board.title}", "", f"`{board.id}`: {board.summary}"],
        _parameters(catalogue, board, environment),
        _how_to_run(board, environment),
        _judges(board),
        _keys_and_data(board),
        _handled(board),
        *_caveats(board, environment),
        _published(board),
        ["Written by `helm-repro docs` from the catalogue."],
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join("" if cell is None else str(cell) for cell in line) + " |" for line in lines]


def _parameters(catalogue: Catalogue, board: Leaderboard, environment: Environment) -> list[str]:
    commit = f"[{environment.helm_commit[:9]}]({_HELM}/tree/{environment.helm_commit})"
    rows = [
        ("heading of HELM's page", board.section or "none; the page does not name this leaderboard"),
        ("RUN_ENTRIES_CONF_PATH", f"`{board.conf}`, {_entries(catalogue, board)} entries up to the priority"),
        ("SCHEMA_PATH", f"`{board.schema_}`"),
        ("NUM_TRAIN_TRIALS", board.num_train_trials),
        ("MAX_EVAL_INSTANCES", board.max_eval_instances),
        ("PRIORITY", board.priority),
        ("HELM", f"{environment.helm_version}, commit {commit}"),
        ("environment", f"`{board.environment}`, Python {environment.python}"),
        ("status", board.status),
        ("SHA-256 of entries", f"`{board.entries_sha256}`"),
        ("SHA-256 of the schema", f"`{board.schema_sha256}`"),
    ]
    return _table(("", ""), rows)


def _how_to_run(board: Leaderboard, environment: Environment) -> list[str]:
    model = board.example_model
    names = _variables(board)
    exports = [] if board.id == "smoke" else ["    export OPENAI_API_KEY=…"]
    given = "".join(f" -e {name}" for name in dict.fromkeys([*(["OPENAI_API_KEY"] if exports else []), *names]))
    return [
        "## Run it",
        "",
        *exports,
        f"    helm-repro plan {board.id} --model {model}    # what will run, before it costs anything",
        f"    make run LEADERBOARD={board.id} MODELS_TO_RUN={model}",
        "",
        "or, with the image:",
        "",
        f"    make image LEADERBOARD={board.id}",
        "    mkdir -p output",
        f'    docker run --user "$(id -u):$(id -g)" -e MODELS_TO_RUN={model}{given} \\',
        f'        -v "$PWD/output:/data" helm-repro:{board.id} run summarize',
    ]


def _variables(board: Leaderboard) -> list[str]:
    names = [judge.credential for judge in board.judges if judge.credential]
    names += [credential.variable for credential in board.credentials]
    names += [dataset.variable for dataset in board.gated_datasets if dataset.variable]
    return list(dict.fromkeys(names))


def _judges(board: Leaderboard) -> list[str]:
    if not board.judges:
        return []
    rows = (
        (
            judge.model,
            f"`{judge.deployment}`" if judge.deployment else "",
            f"`{judge.credential}`" if judge.credential else "",
            judge.retired,
            _FAILURES.get(judge.on_failure or ""),
            _functions(judge.used_by),
        )
        for judge in board.judges
    )
    header = ("judge", "deployment", "key", "withdrawn", "if it cannot be reached", "judges")
    lines = ["## Judges", "", *_table(header, rows)]
    lines += [f"\n{note[0].upper()}{note[1:]}." for note in dict.fromkeys(j.note for j in board.judges if j.note)]
    lost = [judge.deployment for judge in board.judges if judge.deployment and (judge.retired or judge.private)]
    if lost:
        overrides = ",".join(f"{deployment}={_JUDGE}" for deployment in lost)
        lines += [
            "",
            "Nothing starts while a judge is withdrawn or out of reach. To be judged by others, which gives another",
            'score and marks the suite "judge replaced":',
            "",
            f"    JUDGE_OVERRIDES={overrides}",
        ]
    return lines


def _keys_and_data(board: Leaderboard) -> list[str]:
    lines: list[str] = []
    if board.credentials:
        rows = [(f"`{c.variable}`", c.purpose, "yes" if c.required else "no") for c in board.credentials]
        lines += ["## Keys beside the model's", "", *_table(("variable", "for", "required"), rows), ""]
    if board.gated_datasets:
        data = [
            (d.name, d.how, f"`{d.variable}`" if d.variable else "", _functions(d.used_by))
            for d in board.gated_datasets
        ]
        lines += ["## Data that must be asked for", "", *_table(("data", "how", "variable", "runs"), data)]
        if any(dataset.data_paths for dataset in board.gated_datasets):
            lines += [
                "",
                "A variable that names data holds a path inside the container: mount the data there, as in",
                f"`-v /secure/{board.id}:/own:ro -e {board.gated_datasets[0].variable}=/own/…`.",
            ]
    return lines[:-1] if lines and not lines[-1] else lines


def _handled(board: Leaderboard) -> list[str]:
    points = []
    if board.model_groups == "strict":
        points.append(
            "Entries for a group of models run only for models of that group ([why](../traps.md#groups-of-models))."
        )
    if board.any_model:
        points.append(
            f"Entries are derived for any model: from those of {board.any_model.base}, or, for models that reason "
            f"first, of {board.any_model.reasoning_base} ([why](../traps.md#medhelms-thirteen-models))."
        )
    if board.organization:
        points.append(
            f"`ORGANIZATION=name` runs your `{board.conf_of('name')}` "
            "([where it is looked for](../traps.md#medhelms-thirteen-models))."
        )
    if board.entry_groups:
        points.append("Runs get the groups of the schema ([why](../traps.md#slphelms-empty-tables)).")
    points += [f"`{plugin}` corrects HELM ([why](../traps.md#{_ANCHORS[plugin]}))." for plugin in board.plugins]
    return ["## Handled here", "", *(f"* {point}" for point in points)] if points else []


_ANCHORS = {
    "helm_repro.inside.plugins.torr_references": "torrs-references",
    "helm_repro.inside.plugins.jury_must_answer": "medhelms-jury",
}


def _caveats(board: Leaderboard, environment: Environment) -> Iterator[list[str]]:
    if not board.caveats:
        return
    yield ["## What cannot be, or is not quite, reproduced"]
    for kind, heading in _KINDS.items():
        points = [_caveat(caveat, environment) for caveat in board.caveats if caveat.kind == kind]
        if points:
            yield [f"### {heading}", "", *points]


def _caveat(caveat: Caveat, environment: Environment) -> str:
    text = f"* **{caveat.what}**{f' ({caveat.since})' if caveat.since else ''}: {caveat.reason}"
    if caveat.skip:
        text += " From that day on these" if caveat.since else " These"
        text += " runs are skipped unless `INCLUDE_UNAVAILABLE=1`."
    if caveat.own_copy:
        text += f" Your own copy is read from `benchmark_output/{caveat.own_copy}` in the data directory."
    if caveat.source:
        url = caveat.source if "://" in caveat.source else f"{_HELM}/blob/{environment.helm_commit}/{caveat.source}"
        text += f" ([source]({url}))"
    if caveat.entries:
        text += " Entries: " + ", ".join(f"`{pattern}`" for pattern in caveat.entries) + "."
    return text


def _published(board: Leaderboard) -> list[str]:
    published = board.published
    if not (published.storage or published.releases):
        return []
    lines = ["## Published results", ""]
    if published.storage:
        lines += [f"Stanford's own results: `{published.storage}`. `helm-repro verify` compares with them.", ""]
    if published.releases:
        lines += _table(("release", "date, or what is known of it"), published.releases.items())
    return lines


def _functions(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) if names else "all"
