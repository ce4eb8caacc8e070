"""Every goal of speed and scale as a ratio, in one run: `make bench` or `make bench SIZE=small`.

`python -m tests.benchmarks.bench [SIZE] [ROW ...]` measures all rows, or those named. Corpora are
made in a temporary folder; every measurement has a process of its own, and the sides of a ratio
take turns. Costs are processor seconds, of child processes too, which a busy machine disturbs less
than the clock, except where a goal is about waiting: two workers against one, Ray against local,
and the first line. The closing table is printed, and written to outputs/benchmarks/ as JSON with
every raw figure and the load of the machine before each row.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import platform
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from tests.benchmarks import baseline
from tests.benchmarks.generate import texts, write_file, write_files

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "outputs" / "benchmarks"
WARM_UP = 16
"""Documents that go through before the clock starts: what is loaded once is then loaded."""
PIPE_BATCH = 128
"""Sentences at a time through the bare model: the fastest of 32, 64, 128, 256, 1000."""


@dataclass(frozen=True)
class Size:
    """How much is measured, in documents.

    speed: one process against the baseline. workers: two workers against one. grow: the corpora
    that grow; the second is run again, unchanged and changed. judge: rows that it can judge.
    """

    speed: int
    workers: int
    grow: tuple[int, ...]
    repeats: int
    judge: frozenset[str]


ALL = ("speed", "bare", "workers", "nothing", "changed", "memory", "growth", "first-line", "ray")
SIZES = {
    "full": Size(1_000, 4_000, (1_000, 10_000, 100_000), 3, frozenset(ALL)),
    "medium": Size(500, 2_000, (1_000, 10_000), 3, frozenset(ALL) - {"memory", "growth"}),
    "small": Size(150, 200, (50, 300), 2, frozenset({"speed", "bare", "first-line"})),
}


@dataclass(frozen=True)
class Cost:
    """What one measurement cost: seconds of the clock, of processors, and peak memory in MB.

    worker_mb: of the largest child process, 0 where there was none.
    """

    wall: float
    cpu: float
    own_mb: float
    worker_mb: float


@dataclass
class Row:
    """A line of the closing table.

    ratio: what is measured, None where it could not be; goal: its bound; above: whether the ratio
    is to be at least that. raw: the figures behind it, costs by name. load: the machine's load
    average over a minute, before.
    """

    what: str
    goal: float
    above: bool
    unit: str = "x"
    ratio: float | None = None
    note: str = ""
    raw: dict[str, Any] = field(default_factory=dict)
    load: float = 0.0

    def verdict(self, *, judged: bool) -> str:
        """Return how the goal is met."""
        if self.ratio is None:
            return "skipped"
        if not judged:
            return "not judged at this size"
        met = self.ratio >= self.goal if self.above else self.ratio <= self.goal
        return "met" if met else "MISSED"


# What is measured. Each function runs in a process of its own.


def _cost(action: Callable[[], object]) -> Cost:
    def seconds() -> float:
        return sum(
            used.ru_utime + used.ru_stime
            for used in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        )

    largest, done = 0.0, threading.Event()

    def watch() -> None:  # the system's own maximum counts what a child was before it became one
        nonlocal largest
        while not done.wait(0.2):
            pids = [child.pid for child in multiprocessing.active_children()]
            largest = max([largest, *map(_peak_mb, pids)])

    watcher = threading.Thread(target=watch)
    watcher.start()
    wall, cpu = time.perf_counter(), seconds()
    try:
        action()
    finally:
        wall, cpu = time.perf_counter() - wall, seconds() - cpu
        done.set()
        watcher.join()
    return Cost(wall=wall, cpu=cpu, own_mb=_peak_mb(os.getpid()), worker_mb=largest)


def _peak_mb(pid: int | None) -> float:
    """Return the peak of a process's resident memory; 0 where it is gone, or there is no /proc."""
    try:
        status = Path(f"/proc/{pid}/status").read_text("ascii")
    except OSError:
        return 0.0
    peak = re.search(r"VmHWM:\s*(\d+) kB", status)
    return int(peak[1]) / 1024 if peak else 0.0


def measure_run(corpus: Path, outputs: Path, engine: str, workers: int, *, warm: bool) -> Cost:
    """Take a corpus to a published snapshot. warm: the model is loaded before the clock starts."""
    from hedgerow import runner
    from hedgerow.engines import open_engine
    from hedgerow.resources import Resources
    from hedgerow.settings import load
    from hedgerow.tasks import run_stages

    settings = load(corpus=corpus, outputs=outputs, engine=engine, workers=workers)
    if warm:
        items = [(f"{n}", f"{n}.txt", t.encode()) for n, t in enumerate(texts(WARM_UP, seed=9))]
        run_stages(items, Resources(settings))
    began = time.perf_counter()
    if engine == "ray":  # starting a cluster is not part of the goal
        with open_engine(settings):
            pass
    spared = time.perf_counter() - began
    cost = _cost(lambda: runner.run(settings))
    return cost if engine == "local" else Cost(**{**asdict(cost), "wall": cost.wall - spared})


def measure_baseline(corpus: Path, outputs: Path, data: Path) -> Cost:
    """Take text files through the scispaCy-shaped pipeline to Parquet."""
    warnings.simplefilter("ignore")  # spaCy's and scispaCy's, about each other
    nlp = baseline.pipeline(data)
    list(nlp.pipe(texts(WARM_UP, seed=9)))
    outputs.mkdir(parents=True, exist_ok=True)
    return _cost(lambda: baseline.run(nlp, sorted(corpus.rglob("*.txt")), outputs))


def measure_bare(corpus: Path) -> Cost:
    """Pipe the sentences of a corpus, as ready `Doc`s, through our model, and do nothing else."""
    from hedgerow.nlp import make_docs
    from hedgerow.resources import Resources
    from hedgerow.settings import load
    from hedgerow.stages.grouping import sentence_rows
    from hedgerow.tasks import run_stages

    resources = Resources(load())
    files = sorted(p for p in corpus.rglob("*") if p.is_file())
    items = [(str(p.relative_to(corpus)), p.name, p.read_bytes()) for p in files]
    found = run_stages(items, resources, last="sentences")
    rows = list(sentence_rows(found["sentences"], found["tokens"]))
    nlp = resources.language
    docs = make_docs(nlp.vocab, [row.text for row in rows], [row.spans for row in rows])
    list(nlp.pipe(docs[:PIPE_BATCH]))

    def pipe() -> None:
        for _ in nlp.pipe(docs, batch_size=PIPE_BATCH):
            pass

    return _cost(pipe)


def measure_command(corpus: Path, outputs: Path) -> Cost:
    """Run `hedgerow run` as a scheduler does, start to end."""
    command = _command(corpus, outputs)
    return _cost(lambda: subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL))


def _command(corpus: Path, outputs: Path) -> list[str]:
    start = "from hedgerow.cli import main; main()"
    flags = ["--corpus", str(corpus), "--outputs", str(outputs), "--log", "json"]
    return [sys.executable, "-c", start, "run", *flags]


def measure_first_line(corpus: Path, outputs: Path) -> float:
    """Return the seconds from the start of `hedgerow run` to its first line of progress."""
    began = time.perf_counter()
    with subprocess.Popen(_command(corpus, outputs), stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None  # asked for above
        process.stdout.readline()
        seconds = time.perf_counter() - began
        process.stdout.read()
    return seconds


def fresh(measure: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Return what a function measures in a new process."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(measure, *args, **options).result()


# The rows.


class Bench:
    """Measures the rows of the table, in a temporary folder."""

    def __init__(self, size: Size, folder: Path, data: Path, workers: int) -> None:
        self.size, self.folder, self.data, self.workers = size, folder, data, workers
        self.rows: dict[str, Row] = {}
        self._number = 0
        self._grown: dict[int, Cost] = {}

    def corpus(self, count: int) -> Path:
        """Return a corpus of so many documents, one file each."""
        folder = self.folder / f"corpus-{count}"
        if not folder.is_dir():
            say(f"making {count:,} documents")
            write_files(folder, count)
        return folder

    def outputs(self) -> Path:
        """Return the name of a new outputs folder."""
        self._number += 1
        return self.folder / f"outputs-{self._number}"

    def run(self, count: int, engine: str, workers: int, *, warm: bool = False) -> Cost:
        """Measure a first run."""
        outputs = self.outputs()
        cost = fresh(measure_run, self.corpus(count), outputs, engine, workers, warm=warm)
        shutil.rmtree(outputs)
        say(f"{count:,} documents, {engine}, workers {workers}: {_figures(cost)}")
        return cost

    def measure(self, names: Iterable[str]) -> None:
        """Measure the rows of these names."""
        groups = {
            self.speed: ("speed", "bare"),
            self.parallel: ("workers", "ray"),
            self.scale: ("memory", "growth", "nothing", "changed"),
            self.first_line: ("first-line",),
        }
        for group, members in groups.items():
            wanted = [name for name in members if name in names]
            if wanted:
                load = os.getloadavg()[0]
                group(wanted)
                for name in wanted:
                    self.rows[name].load = round(load, 2)

    def speed(self, wanted: list[str]) -> None:
        """Ours against the scispaCy-shaped pipeline, and against our bare model."""
        count = self.size.speed
        plain = self.folder / "plain"
        plain.mkdir()
        words = 0
        for number, text in enumerate(texts(count)):
            (plain / f"{number:07d}.txt").write_text(text, "utf-8")
            words += len(text.split())
        reason = baseline.missing(self.data)
        against = self.rows["speed"] = Row(
            "words/s, files to Parquet, vs scispaCy-shaped", 2.0, True
        )
        bare = self.rows["bare"] = Row("the same, time vs our bare model", 1.4, False)
        if reason is None:
            say("training the scispaCy-shaped pipeline, unless it is there from before")
            fresh(baseline.pipeline, self.data, discard=True)
        ours, theirs, model = [], [], []
        for _ in range(self.size.repeats):
            ours.append(self.run(count, "local", 1, warm=True))
            if reason is None:
                theirs.append(fresh(measure_baseline, plain, self.outputs(), self.data))
                say(f"scispaCy-shaped: {_figures(theirs[-1])}")
            model.append(fresh(measure_bare, self.corpus(count)))
            say(f"bare model: {_figures(model[-1])}")

        def rate(costs: list[Cost]) -> dict[str, Any]:
            best = min(cost.cpu for cost in costs)
            return {
                "words_per_second": round(words / best),
                "us_per_word": round(1e6 * best / words, 2),
                "costs": [asdict(cost) for cost in costs],
            }

        bare.raw = {"words": words, "ours": rate(ours), "bare model": rate(model)}
        bare.ratio = min(c.cpu for c in ours) / min(c.cpu for c in model)
        against.raw = {"words": words, "ours": rate(ours)}
        if reason is None:
            against.raw["scispaCy-shaped"] = rate(theirs)
            against.ratio = min(c.cpu for c in theirs) / min(c.cpu for c in ours)
        else:
            against.note = reason

    def parallel(self, wanted: list[str]) -> None:
        """Two workers against one, and Ray's two actors against two workers, by the clock."""
        count = self.size.workers
        workers = self.rows["workers"] = Row("two workers vs one, by the clock", 1.85, True)
        ray = self.rows["ray"] = Row("Ray, two actors, vs two workers, by the clock", 0.9, True)
        try:
            metadata.version("ray")
        except metadata.PackageNotFoundError:
            ray.note = "found no package ray; pip install 'hedgerow[ray]'"
        one, two, actors = [], [], []
        for _ in range(self.size.repeats):
            one += [self.run(count, "local", 1)] if "workers" in wanted else []
            two.append(self.run(count, "local", 2))
            actors += [self.run(count, "ray", 2)] if "ray" in wanted and not ray.note else []
        raw = {"one": one, "two": two, "ray": actors}
        workers.raw = ray.raw = {name: [asdict(c) for c in costs] for name, costs in raw.items()}
        if one:
            workers.ratio = _best(one) / _best(two)
        if actors:
            ray.ratio = _best(two) / _best(actors)

    def scale(self, wanted: list[str]) -> None:
        """Corpora that grow; then the second of them once more, unchanged and changed."""
        if {"memory", "growth"} & set(wanted):
            start = self.run(1, "local", self.workers)
            costs = {count: self.run(count, "local", self.workers) for count in self.size.grow}
            self._growth(start, costs)
        if {"nothing", "changed"} & set(wanted):
            self._again(self.size.grow[min(1, len(self.size.grow) - 1)])

    def _growth(self, start: Cost, costs: dict[int, Cost]) -> None:
        small, *_, large = costs
        raw = {
            "one document": asdict(start),
            **{f"{count:,} documents": asdict(cost) for count, cost in costs.items()},
            "ms of a processor a document": {
                count: round(1e3 * (cost.cpu - start.cpu) / count, 3)
                for count, cost in costs.items()
            },
        }

        def each(count: int) -> float:
            return (costs[count].cpu - start.cpu) / count

        what = f"time a document, {large:,} documents vs {small:,}"
        self.rows["growth"] = Row(what, 1.1, False, ratio=each(large) / each(small), raw=raw)

        def peak(cost: Cost) -> float:
            return cost.worker_mb if self.workers > 1 else cost.own_mb

        before = list(costs)[-2]
        what = f"peak memory of a worker, {large:,} documents vs {before:,}"
        ratio = peak(costs[large]) / peak(costs[before])
        self.rows["memory"] = Row(what, 1.1, False, ratio=ratio, raw=raw)

    def _again(self, count: int) -> None:
        corpus, outputs = self.corpus(count), self.outputs()
        first = fresh(measure_command, corpus, outputs)
        say(f"first run of {count:,} documents: {_figures(first)}")
        nothing, changed = [], []
        for repeat in range(1, self.size.repeats + 1):
            nothing.append(fresh(measure_command, corpus, outputs))
            say(f"nothing changed: {_figures(nothing[-1])}")
            for number in range(0, count, 100):
                write_file(corpus, number, seed=repeat)
            changed.append(fresh(measure_command, corpus, outputs))
            say(f"1% changed: {_figures(changed[-1])}")
        shutil.rmtree(outputs)
        for name, what, goal, costs in (
            ("nothing", f"re-run of {count:,} documents, nothing changed, vs first", 0.5, nothing),
            ("changed", f"re-run of {count:,} documents, 1% changed, vs first", 3.0, changed),
        ):
            best = min(cost.cpu for cost in costs)
            raw = {"first": asdict(first), name: [asdict(cost) for cost in costs]}
            self.rows[name] = Row(what, goal, False, "%", 100 * best / first.cpu, raw=raw)

    def first_line(self, wanted: list[str]) -> None:
        """From the start of the command to its first line."""
        outputs = self.outputs()
        seconds = [measure_first_line(self.corpus(100), outputs) for _ in range(5)]
        median = statistics.median(seconds)
        self.rows["first-line"] = Row(
            "start to the first line of progress",
            2.0,
            False,
            " s",
            median,
            raw={"seconds": seconds},
        )


def _best(costs: list[Cost]) -> float:
    return min(cost.wall for cost in costs)


def _figures(cost: Cost) -> str:
    return (
        f"{cost.wall:.1f} s by the clock, {cost.cpu:.1f} s of processors, "
        f"{max(cost.own_mb, cost.worker_mb):.0f} MB at most"
    )


def say(text: str) -> None:
    """Print a line of progress, with the load of the machine."""
    print(f"[load {os.getloadavg()[0]:4.1f}] {text}", flush=True)


def table(rows: dict[str, Row], size: Size) -> str:
    """Return the closing table, as Markdown."""
    lines = ["| what | measured | goal | | load before |", "|---|---|---|---|---|"]
    for name in (name for name in ALL if name in rows):
        row = rows[name]
        sign = "≥" if row.above else "≤"
        measured = "–" if row.ratio is None else f"{row.ratio:.2f}{row.unit}"
        verdict = row.verdict(judged=name in size.judge) + (f": {row.note}" if row.note else "")
        goal = f"{sign} {row.goal:g}{row.unit}"
        lines.append(f"| {row.what} | {measured} | {goal} | {verdict} | {row.load:.1f} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, print the table and write the figures."""
    size_name, *names = sys.argv[1:] or ["full"]
    if size_name not in SIZES or not set(names) <= set(ALL):
        sys.exit(f"usage: bench {'|'.join(SIZES)} [{'|'.join(ALL)} ...]")
    size = SIZES[size_name]
    data = Path(os.environ.get("DATA", ROOT.parent / "shared")) / "data"
    workers = int(os.environ.get("WORKERS", "2"))
    began = time.time()
    with tempfile.TemporaryDirectory(prefix="hedgerow-bench-") as folder:
        bench = Bench(size, Path(folder), data, workers)
        bench.measure(names or ALL)
    found = {name: bench.rows[name] for name in names or ALL}
    unjudged = sorted(set(found) - size.judge)
    print(f"\n{table(found, size)}\n")
    if unjudged:
        print(f"SIZE={size_name} is too small to judge: {', '.join(unjudged)}.")
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(began))}-{size_name}.json"
    record = {
        "size": {**asdict(size), "judge": sorted(size.judge)},
        "machine": {
            "processor": platform.machine(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in ("spacy", "thinc", "numpy", "pyarrow")},
        },
        "seconds": round(time.time() - began),
        "rows": {name: asdict(row) for name, row in found.items()},
    }
    path.write_text(json.dumps(record, indent=1, ensure_ascii=False), "utf-8")
    print(f"Raw figures: {path}")


if __name__ == "__main__":
    main()
