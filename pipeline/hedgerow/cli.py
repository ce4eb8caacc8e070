"""The command line: arguments in, exit code out.

Exit codes: 0 done; 1 done, but something was rejected (--strict), or `verify` found faults;
2 wrong usage or settings; 3 the run failed and the latest snapshot is as it was; 4 another run
holds the outputs folder; 130 interrupted.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import time
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from hedgerow.errors import HedgerowError, LockedError, SettingsError

if TYPE_CHECKING:
    from hedgerow.plan import Listener
    from hedgerow.runner import Outcome
    from hedgerow.settings import Settings
    from hedgerow.store import Snapshot

app = typer.Typer(
    name="hedgerow",
    help="Who claims what, how certainly, on what evidence, across a pile of biomedical documents.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
out = Console()
err = Console(stderr=True)


class Log(str, Enum):
    """How progress is told."""

    pretty = "pretty"
    json = "json"


Corpus = Annotated[str | None, typer.Option(help="Folder, or URL, that holds the documents.")]
Outputs = Annotated[Path | None, typer.Option(help="Folder that snapshots are written to.")]
Workers = Annotated[int | None, typer.Option(help="Worker processes.")]
Engine = Annotated[str | None, typer.Option(help="How batches are mapped: local or ray.")]
RayAddress = Annotated[str | None, typer.Option(help="A running Ray cluster, host:port.")]
Model = Annotated[str | None, typer.Option(help="Model: the one that ships, or a path.")]
KnowledgeBase = Annotated[
    Path | None,
    typer.Option("--kb", help="Knowledge base that `hedgerow kb build` made."),
]
BatchDocuments = Annotated[int | None, typer.Option(help="Documents a batch, at most.")]
Strict = Annotated[bool, typer.Option(help="Exit with 1 where anything was rejected.")]
LogOption = Annotated[Log, typer.Option(help="Progress bars, or a JSON line per event.")]
SnapshotName = Annotated[str | None, typer.Option("--snapshot", help="A snapshot's name.")]


def main() -> None:
    """Run the command line. Known errors become one line on standard error and an exit code."""
    try:
        app()
    except HedgerowError as error:
        err.print(f"[bold red]hedgerow:[/] {_escape(str(error))}", highlight=False, soft_wrap=True)
        codes = {SettingsError: 2, LockedError: 4}
        sys.exit(next((code for kind, code in codes.items() if isinstance(error, kind)), 3))


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)


@app.command(epilog="Example: `hedgerow run --corpus pages --outputs results --workers 2`")
def run(
    corpus: Corpus = None,
    outputs: Outputs = None,
    workers: Workers = None,
    engine: Engine = None,
    ray_address: RayAddress = None,
    model: Model = None,
    kb: KnowledgeBase = None,
    batch_documents: BatchDocuments = None,
    strict: Strict = False,
    full: Annotated[bool, typer.Option(help="Process every document anew.")] = False,
    dry_run: Annotated[bool, typer.Option(help="Say what would be done; write nothing.")] = False,
    log: LogOption = Log.pretty,
) -> None:
    """Bring the outputs up to date with the corpus: only what changed is processed."""
    flags = {
        "corpus": corpus,
        "outputs": outputs,
        "workers": workers,
        "engine": engine,
        "ray_address": ray_address,
        "model": model,
        "knowledge_base": kb,
        "batch_documents": batch_documents,
    }
    _run(flags, log=log, strict=strict, full=full, dry_run=dry_run)


def _stage_command(name: str, text: str) -> None:
    def command(
        corpus: Corpus = None,
        outputs: Outputs = None,
        workers: Workers = None,
        model: Model = None,
        kb: KnowledgeBase = None,
        log: LogOption = Log.pretty,
    ) -> None:
        flags = {
            "corpus": corpus,
            "outputs": outputs,
            "workers": workers,
            "model": model,
            "knowledge_base": kb,
        }
        _run(flags, log=log, until=None if name == "evidence" else name)

    command.__doc__ = (
        f"{text}\n\nBrings the stages up to this one up to date. The results wait in the work "
        "area for the next command; only the last stage, evidence, changes `outputs/latest`."
    )
    app.command(
        name, epilog=f"Example: `hedgerow {name} --corpus pages`", rich_help_panel="Stages"
    )(command)


for _name, _text in (
    ("documents", "Read the documents: text, blocks, metadata, reference lists."),
    ("sentences", "Find sentence bounds and tokens."),
    ("annotations", "Run the model over every sentence."),
    ("entities", "Decode mentions, expand abbreviations, link names."),
    ("cues", "Decode hedging, negation and other cues with their scopes."),
    ("certainty", "Classify every sentence: kind, certainty, polarity."),
    ("claims", "Extract claims with arguments, attribution, citations and statistics."),
    ("statements", "Normalise names and sign sentences, to be compared across documents."),
    ("evidence", "Map the evidence, find the conflicts and publish: the same as `run`."),
):
    _stage_command(_name, _text)


def _run(
    flags: Mapping[str, Any],
    *,
    log: Log,
    strict: bool = False,
    full: bool = False,
    dry_run: bool = False,
    until: str | None = None,
) -> None:
    with _listener(log) as listen:
        listen("started", {})
        from hedgerow import runner
        from hedgerow import settings as settings_module

        settings = settings_module.load(**flags)
        try:
            outcome = runner.run(settings, listen=listen, full=full, dry_run=dry_run, until=until)
        except KeyboardInterrupt:
            err.print("hedgerow: interrupted; finished work is kept, the next run goes on from it")
            raise typer.Exit(130) from None
        listen("finished", _facts(outcome))
    if log is Log.pretty:
        _summary(outcome, settings, dry_run=dry_run, until=until)
    if strict and outcome.rejects:
        raise typer.Exit(1)


def _facts(outcome: Outcome) -> dict[str, Any]:
    return {
        "published": outcome.published,
        "snapshot": str(outcome.snapshot) if outcome.snapshot else None,
        "documents": outcome.counts.get("documents", 0),
        "processed": outcome.plan.documents,
        "claims": outcome.counts.get("claims", 0),
        "claims_by_certainty": dict(outcome.certainties),
        "conflicts": outcome.counts.get("conflicts", 0),
        "rejects": list(outcome.rejects),
        "stage_seconds": {name: round(s, 3) for name, s in outcome.seconds.items()},
        "seconds": round(outcome.elapsed, 3),
    }


@contextlib.contextmanager
def _listener(log: Log) -> Iterator[Listener]:
    """Yield a listener that prints JSON lines, or moves a progress bar."""
    if log is Log.json:

        def tell(event: str, facts: Mapping[str, Any]) -> None:
            line = {"time": round(time.time(), 3), "event": event, **facts}
            print(json.dumps(line), flush=True)

        yield tell
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task("reading the corpus", total=None)

        def show(event: str, facts: Mapping[str, Any]) -> None:
            if event == "planned":
                progress.update(task, description="documents", total=facts["documents"])
            elif event == "batch":
                progress.advance(task, facts["documents"])
            elif event == "stage":
                progress.update(task, description=facts["stage"])

        yield show


def _summary(outcome: Outcome, settings: Settings, *, dry_run: bool, until: str | None) -> None:
    plan = outcome.plan
    difference = (
        f"{len(plan.added)} added, {len(plan.changed)} changed, {len(plan.removed)} removed"
    )
    for reject in outcome.rejects[:20]:
        where = f"{reject['path']} {reject['item']}".strip()
        err.print(
            f"[yellow]rejected[/] {_escape(where)}: {reject['reason']}: "
            f"{_escape(reject['detail'])}",
            highlight=False,
            soft_wrap=True,
        )
    if len(outcome.rejects) > 20:
        err.print(f"[yellow]and {len(outcome.rejects) - 20} more[/]: see the table rejects")
    if dry_run:
        why = f" (the {plan.cause} changed)" if plan.cause and plan.documents else ""
        out.print(
            f"Would process {plan.documents} of {len(plan.found.entries)} documents{why}: "
            f"{difference}. Nothing was written."
        )
        return
    if until is not None:
        out.print(
            f"Up to date through [bold]{until}[/]: {plan.documents} documents processed in "
            f"{outcome.elapsed:.1f} s. `hedgerow run` goes on from here."
        )
        return
    latest = settings.outputs / "latest"
    if not outcome.published:
        out.print(
            f"Nothing changed: {outcome.counts.get('documents', 0)} documents, nothing "
            f"written. {latest} is up to date ({outcome.elapsed:.1f} s)."
        )
        return
    from rich.table import Table

    summary = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    summary.add_row(
        "documents", f"{outcome.counts['documents']:,}", f"{difference}; {plan.documents} processed"
    )
    summary.add_row("sentences", f"{outcome.counts['sentences']:,}", "")
    summary.add_row(
        "claims",
        f"{outcome.counts['claims']:,}",
        ", ".join(f"{n:,} {c}" for c, n in outcome.certainties.items()),
    )
    summary.add_row("conflicts", f"{outcome.counts['conflicts']:,}", "")
    summary.add_row("rejects", f"{outcome.counts['rejects']:,}", "")
    summary.add_row(
        "seconds",
        f"{outcome.elapsed:.1f}",
        ", ".join(f"{s} {t:.1f}" for s, t in outcome.seconds.items()),
    )
    out.print(summary)
    out.print(f"Tables: {latest}/<table>/*.parquet   Report: {latest}/report.html", soft_wrap=True)


def _snapshot(outputs: Path | None, name: str | None) -> Snapshot:
    from hedgerow import settings as settings_module
    from hedgerow import store
    from hedgerow.errors import StoreError

    root = settings_module.load(outputs=outputs).outputs
    snapshot = store.Outputs(root).snapshot(name)
    if snapshot is None:
        raise StoreError(f"{root}: found no snapshot; expected one; run `hedgerow run` first")
    return snapshot


@app.command(epilog="Example: `hedgerow verify`")
def verify(outputs: Outputs = None, snapshot: SnapshotName = None) -> None:
    """Check a snapshot: its files against the manifest, its rows against the contract."""
    from hedgerow import store

    chosen = _snapshot(outputs, snapshot)
    problems = store.verify(chosen)
    for problem in problems:
        err.print(f"[red]fault[/] {_escape(problem)}", highlight=False, soft_wrap=True)
    if problems:
        out.print(f"{chosen.path.name}: {len(problems)} faults.")
        raise typer.Exit(1)
    parts = sum(len(p) for p in chosen.manifest.tables.values())
    out.print(
        f"{chosen.path.name}: {parts} parts of {len(chosen.manifest.tables)} tables are "
        "complete and keep their contract.",
        soft_wrap=True,
    )


@app.command(epilog="Example: `hedgerow show cerebrolysin/product-sheet.html`")
def show(
    what: Annotated[str, typer.Argument(help="A doc_id, or a claim_id (or the start of one).")],
    outputs: Outputs = None,
    snapshot: SnapshotName = None,
) -> None:
    """Show a document or a claim with its cues, entities and sources marked."""
    from hedgerow import terminal

    out.print(terminal.show(_snapshot(outputs, snapshot).read, what))


@app.command(epilog="Example: `hedgerow conflicts --top 5`")
def conflicts(
    top: Annotated[int, typer.Option(help="How many.")] = 10,
    outputs: Outputs = None,
    snapshot: SnapshotName = None,
) -> None:
    """List the claims that disagree, the most worth reading first."""
    from hedgerow import terminal

    out.print(terminal.conflicts(_snapshot(outputs, snapshot).read("conflicts"), top=top))


@app.command("map", epilog="Example: `hedgerow map --top 20`")
def evidence_map(
    top: Annotated[int, typer.Option(help="How many cells.")] = 30,
    outputs: Outputs = None,
    snapshot: SnapshotName = None,
) -> None:
    """Show the evidence map: claims by subject and outcome."""
    from hedgerow import terminal

    out.print(terminal.evidence_map(_snapshot(outputs, snapshot).read("evidence_map"), top=top))


@app.command(epilog="Example: `hedgerow diff` or `hedgerow diff 20261125T0100… 20261126T0100…`")
def diff(
    before: Annotated[str | None, typer.Argument(help="Snapshot; default: the one before.")] = None,
    after: Annotated[str | None, typer.Argument(help="Snapshot; default: the latest.")] = None,
    outputs: Outputs = None,
) -> None:
    """List the claims added, removed or changed between two snapshots, and why."""
    from rich.table import Table

    from hedgerow import changes
    from hedgerow.errors import StoreError

    newer = _snapshot(outputs, after)
    older = before or newer.manifest.previous
    if older is None:
        raise StoreError(f"{newer.path}: found no snapshot before it; expected one to compare with")
    found = changes.between(_snapshot(outputs, older), newer)
    listing = Table("change", "document", "claim", "field", "before", "after", "cause")
    for row in found.to_pylist():
        cells = (
            row["change"],
            row["doc_id"],
            row["text"][:80],
            row["field"],
            row["before"],
            row["after"],
            row["cause"],
        )
        listing.add_row(*(_escape(cell or "") for cell in cells))
    out.print(
        listing if found.num_rows else f"No claim differs between {older} and {newer.path.name}."
    )


@app.command(epilog="Example: `hedgerow schema claims`")
def schema(
    table: Annotated[str | None, typer.Argument(help="A table; default: all.")] = None,
    markdown: Annotated[bool, typer.Option(help="As Markdown, as in docs/tables.md.")] = False,
) -> None:
    """Describe the tables and their columns."""
    from rich.table import Table

    from hedgerow import schemas, tables

    if table is not None and table not in tables.TABLES:
        raise SettingsError(
            f"table {table!r}: found no such table; expected one of {', '.join(tables.TABLES)}"
        )
    if markdown:
        print(schemas.markdown(), end="")
        return
    for name in [table] if table else tables.TABLES:
        spec = tables.TABLES[name]
        listing = Table(
            "column",
            "type",
            "null",
            "description",
            title=f"{name}: {spec.row}",
            title_justify="left",
        )
        for column in spec.columns:
            listing.add_row(
                column.name,
                schemas.type_name(column),
                "yes" if column.nullable else "",
                column.description,
            )
        out.print(listing)


class Export(str, Enum):
    """What the claims can be written as."""

    csv = "csv"
    jsonl = "jsonl"
    annotations = "annotations"


@app.command(epilog="Example: `hedgerow export csv claims.csv`")
def export(
    form: Annotated[Export, typer.Argument(help="Wide CSV or JSON lines, or Web Annotations.")],
    file: Annotated[Path, typer.Argument(help="The file to write.")],
    outputs: Outputs = None,
    snapshot: SnapshotName = None,
) -> None:
    """Write the claims for other tools: a wide row each, or W3C Web Annotations (JSON-LD)."""
    from hedgerow import exports

    writers = {
        Export.csv: exports.write_csv,
        Export.jsonl: exports.write_jsonl,
        Export.annotations: exports.write_annotations,
    }
    written = writers[form](_snapshot(outputs, snapshot).read, file)
    out.print(f"{file}: {written} claims.")


@app.command(epilog="Example: `hedgerow publish s3://bucket/claims`")
def publish(
    url: Annotated[str, typer.Argument(help="Where to: s3://, gs://, abfs://, file://…")],
    outputs: Outputs = None,
    snapshot: SnapshotName = None,
) -> None:
    """Copy a snapshot to object storage, the pointer last; `hedgerow.open(URL)` reads it back."""
    from hedgerow import remote

    chosen = _snapshot(outputs, snapshot)
    copied = remote.publish(chosen, url)
    out.print(f"{chosen.path.name}: {copied} files copied; {remote.POINTER} points to it.")


@app.command(epilog="Example: `hedgerow gc --dry-run`")
def gc(
    outputs: Outputs = None,
    keep: Annotated[int | None, typer.Option(help="Snapshots to keep.")] = None,
    dry_run: Annotated[bool, typer.Option(help="Say what would go; remove nothing.")] = False,
) -> None:
    """Remove old snapshots; a run does the same when it ends."""
    from hedgerow import settings as settings_module
    from hedgerow import store

    settings = settings_module.load(outputs=outputs, keep_snapshots=keep)
    folder = store.Outputs(settings.outputs)
    with folder.lock("gc"):
        gone = folder.collect(
            keep=settings.keep_snapshots, grace_seconds=settings.grace_seconds, dry_run=dry_run
        )
    verb = "Would remove" if dry_run else "Removed"
    out.print(f"{verb} {len(gone)} snapshots{': ' + ', '.join(gone) if gone else ''}.")


@app.command(epilog="Example: `hedgerow evaluate --gold ../shared/gold/seed_pages.dev.jsonl`")
def evaluate(
    gold: Annotated[list[Path], typer.Option(help="A file of annotated units; repeatable.")],
    model: Model = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    errors: Annotated[Path | None, typer.Option(help="CSV file for the units got wrong.")] = None,
) -> None:
    """Measure the pipeline against annotated units, per file and pooled."""
    from hedgerow import evaluation

    result = evaluation.evaluate(gold, model=model, errors=errors)
    if as_json:
        print(json.dumps(result, indent=1, sort_keys=True))
    else:
        print(evaluation.render(result))


@app.command(epilog="Example: `hedgerow formats`")
def formats() -> None:
    """List the formats that are read, and the packages that they come from."""
    from hedgerow import readers

    for one in readers.formats():
        package = one.package or "hedgerow"
        print(f"{' '.join(one.reader.suffixes):24} {one.reader.media_type:74} {package}")
    print(f"{' '.join(readers.PACKED):24} any of these, packed")


kb_app = typer.Typer(
    help="Knowledge bases that names are linked to.",
    epilog="Example: `hedgerow kb build doid.obo desc2025.xml --out kb`",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
app.add_typer(kb_app, name="kb")


@kb_app.callback()
def _kb() -> None:
    """Knowledge bases that names are linked to."""


@kb_app.command("build", epilog="Example: `hedgerow kb build doid.obo desc2025.xml --out kb`")
def kb_build(
    files: Annotated[
        list[Path],
        typer.Argument(help="OBO, JSON lines, MeSH (.xml, .bin) or MRCONSO.RRF; also .gz."),
    ],
    to: Annotated[Path, typer.Option("--out", help="Folder for the knowledge base.")],
    types: Annotated[
        list[str] | None,
        typer.Option(help="TYPE=LABEL, such as DOID=DISEASE; E05=- leaves out. Repeatable."),
    ] = None,
    source: Annotated[
        list[str] | None, typer.Option(help="UMLS vocabulary to keep, such as MSH. Repeatable.")
    ] = None,
    semantic_type: Annotated[
        list[str] | None, typer.Option(help="UMLS type to keep, such as T047. Repeatable.")
    ] = None,
    find: Annotated[
        bool,
        typer.Option(help="Find the names in text too: for lists of distinctive names."),
    ] = False,
) -> None:
    """Build a knowledge base from files; `hedgerow run --kb FOLDER` links to it.

    The entries of the knowledge base that ships come first in it.
    """
    from hedgerow import kb

    labels = {}
    for pair in types or ():
        kind, equals, label = pair.partition("=")
        if not (kind and equals and label):
            raise SettingsError(f"--types: found {pair!r}; expected TYPE=LABEL: DOID=DISEASE")
        labels[kind] = label
    filters = kb.Filters(frozenset(source or ()), frozenset(semantic_type or ()))
    with err.status("reading") as status:
        summary = kb.build(
            files,
            to,
            types=labels,
            filters=filters,
            find=find,
            listen=lambda file, read: status.update(_escape(f"{file.name}: {read:,} entries")),
        )
    for why, count in sorted(summary.dropped.items(), key=lambda item: (-item[1], item[0])):
        err.print(f"[yellow]left out[/] {count:,}: {_escape(why)}", highlight=False)
    found = ", ".join(f"{n:,} {label}" for label, n in summary.by_label.most_common())
    out.print(
        f"{to}: {summary.entries:,} entries with {summary.names:,} names ({found}); "
        f"{summary.merged:,} merged with one of the same id.",
        soft_wrap=True,
        highlight=False,
    )


@app.command(epilog="Example: `hedgerow version`")
def version() -> None:
    """Print the versions of hedgerow, its model and what it stands on."""
    from importlib import metadata

    from hedgerow import __version__
    from hedgerow import settings as settings_module

    model = json.loads((settings_module.load().model_path() / "meta.json").read_text("utf-8"))
    out.print(
        f"hedgerow {__version__}, model {model['name']} {model['version']}, "
        f"spaCy {metadata.version('spacy')}, scispaCy {metadata.version('scispacy')}, "
        f"pyarrow {metadata.version('pyarrow')}, Python {sys.version.split()[0]}"
    )


@app.callback()
def _configure() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s", stream=sys.stderr)
    for parser in ("trafilatura", "pdfminer"):
        # They log what they find odd about a page; such pages are read all the same.
        logging.getLogger(parser).setLevel(logging.CRITICAL)


if __name__ == "__main__":
    main()
