"""Where the time goes, stage by stage: `make profile`.

One process takes made documents through the stages, in batches as a run does, twice: by the clock
(µs of processor time a word), then under cProfile (the functions that cost most in each stage).
The second run's times are larger than the first's: cProfile charges every call.
"""

from __future__ import annotations

import argparse
import cProfile
import io
import pstats
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from hedgerow import tables
from hedgerow.plan import begin, make_plan
from hedgerow.resources import Resources
from hedgerow.settings import Settings, load
from hedgerow.stages import CORPUS_STAGES, DOCUMENT_STAGES
from hedgerow.tasks import Batch, _check, _items, _keep
from tests.benchmarks.generate import write_files


class Clock:
    """Processor seconds by step; with profiles, the functions of each step as well."""

    def __init__(self, *, functions: bool) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.profiles: defaultdict[str, cProfile.Profile] = defaultdict(cProfile.Profile)
        self._functions = functions

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Charge what happens inside to a step."""
        began = time.process_time()
        if self._functions:
            self.profiles[name].enable()
        try:
            yield
        finally:
            if self._functions:
                self.profiles[name].disable()
            self.seconds[name] += time.process_time() - began


def take(batches: tuple[Batch, ...], resources: Resources, clock: Clock) -> dict[str, pa.Table]:
    """Take batches through all stages; return the tables of them all."""
    kept: defaultdict[str, list[pa.Table]] = defaultdict(list)
    for batch in batches:
        with clock.step("read files"):
            held: dict[str, pa.Table] = {"items": _items(batch, resources, [])}
        for number, stage in enumerate(DOCUMENT_STAGES):
            inputs = {name: held[name] for name in stage.inputs}
            with clock.step(stage.name):
                outputs = stage.run(inputs, resources)
            with clock.step("check the tables"):
                _check(stage, inputs, outputs)
            with clock.step("keep in the work area"):
                _keep(outputs, batch.folder(number))
            held |= outputs
        for name, table in held.items():
            kept[name].append(table)
    found = {n: tables.concat(n, t) for n, t in kept.items() if n in tables.TABLES}
    for stage in CORPUS_STAGES:
        with clock.step(stage.name):
            found |= stage.run({name: found[name] for name in stage.inputs}, resources)
    return found


def profile(settings: Settings, *, functions: bool) -> tuple[Clock, dict[str, pa.Table]]:
    """Profile a corpus folder; a first batch goes through unmeasured, to load what is loaded."""
    shutil.rmtree(settings.outputs, ignore_errors=True)
    resources = Resources(settings)
    clock = Clock(functions=functions)
    with clock.step("scan and plan"):
        plan = make_plan(begin(settings, lambda event, facts: None), until=None)
    take(plan.batches[:1], resources, Clock(functions=False))
    shutil.rmtree(settings.outputs, ignore_errors=True)
    return clock, take(plan.batches, resources, clock)


def top(profile: cProfile.Profile, order: str, count: int) -> str:
    """Return the functions of a profile that cost most."""
    sink = io.StringIO()
    stats = pstats.Stats(profile, stream=sink)
    stats.sort_stats(order).print_stats(count)
    body = sink.getvalue().split("ncalls", 1)[-1]
    roots = sorted({f"{Path(p).resolve()}/" for p in (Path.cwd(), sys.prefix)}, key=len)
    for root in reversed(roots):
        body = body.replace(root, "")
    return "   ncalls" + body.rstrip()


def main() -> None:
    """Profile a made corpus, or a folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=200)
    parser.add_argument("--corpus", type=Path, help="a folder of documents instead")
    parser.add_argument("--functions", type=int, default=15, help="of each stage; 0: none")
    parser.add_argument("--order", nargs="*", default=["tottime"], help="tottime, cumtime")
    parser.add_argument("--stages", nargs="*", help="those whose functions are listed")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        corpus = given.corpus or Path(folder, "corpus")
        if given.corpus is None:
            write_files(corpus, given.documents)
        settings = load(corpus=corpus, outputs=Path(folder, "outputs"))
        clock, found = profile(settings, functions=False)
        words = sum(len(text.split()) for text in found["documents"].column("text").to_pylist())
        total = sum(clock.seconds.values())
        counts = (found["documents"].num_rows, found["sentences"].num_rows, words)
        print("{:,} documents, {:,} sentences, {:,} words".format(*counts), end="; ")
        print(f"{total:.2f} s of one processor: {words / total:,.0f} words a second")
        print(f"\n{'step':24}{'µs/word':>9}{'share':>8}")
        for step, seconds in clock.seconds.items():
            print(f"{step:24}{1e6 * seconds / words:9.2f}{seconds / total:8.1%}")
        print(f"{'total':24}{1e6 * total / words:9.2f}")
        if not given.functions:
            return
        clock, _ = profile(settings, functions=True)
        for step, measured in clock.profiles.items():
            if given.stages and step not in given.stages:
                continue
            for order in given.order:
                print(f"\n== {step}: functions by {order} (with the profiler's own cost)")
                print(top(measured, order, given.functions))


if __name__ == "__main__":
    main()
