"""Fuzz the readers and print what was found: `python -m tests.fuzz [READER …]`, `make fuzz`."""

from __future__ import annotations

import argparse
import importlib.util
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz import seeds
from tests.fuzz.harness import FILES

MAX_BYTES = 20_000
MAX_SECONDS = 100
"""By the clock, for an input that hangs; see also `target.MAX_SECONDS`."""
_RUNS = re.compile(r"^stat::number_of_executed_units:\s*(\d+)|^#(\d+)\s", re.MULTILINE)
_COVERAGE = re.compile(r"\bcov: (\d+)")
_ROW = "{:<10} {:>12} {:>10} {:>10}"


@dataclass
class Outcome:
    """What fuzzing one reader came to; coverage is in branches of the instrumented code."""

    reader: str
    executions: int
    coverage: int
    findings: list[Path]


def fuzz(reader: str, folder: Path, minutes: float) -> Outcome:
    """Fuzz one reader for so many minutes; whatever ends the fuzzer is a finding, and it goes on.

    The folder keeps the inputs that reached new code, from which a later call begins; what was
    found before is tried again and is no finding any more where it was mended.
    """
    corpus, findings = folder / "corpus", folder / "findings"
    corpus.mkdir(parents=True, exist_ok=True)
    findings.mkdir(exist_ok=True)
    for old in findings.iterdir():
        if old.suffix == ".txt":
            old.unlink()
        else:
            old.replace(corpus / old.name)
    for number, content in enumerate(seeds.seeds(reader)):
        (corpus / f"seed-{number}").write_bytes(content)
    longest = max(MAX_BYTES, *(2 * file.stat().st_size for file in corpus.glob("seed-*")))
    tokens = folder / "tokens.dict"
    tokens.write_text(seeds.dictionary(reader), "utf-8")
    executions = coverage = 0
    end = time.monotonic() + 60 * minutes
    with (folder / "log").open("ab") as log:
        while (left := int(end - time.monotonic())) > 0:
            begun = log.tell()
            flags = (
                f"-max_total_time={left}",
                f"-timeout={MAX_SECONDS}",
                f"-report_slow_units={MAX_SECONDS}",
                f"-max_len={longest}",
                f"-dict={tokens}",
                f"-artifact_prefix={findings}/",
                "-rss_limit_mb=4096",
                "-print_final_stats=1",
                str(corpus),
            )
            command = [sys.executable, "-m", "tests.fuzz.target", reader, str(folder), *flags]
            ended = subprocess.run(command, stdout=log, stderr=log, check=False).returncode
            log.flush()
            text = (folder / "log").read_bytes()[begun:].decode("utf-8", "replace")
            log.seek(0, 2)
            runs = [int(a or b) for a, b in _RUNS.findall(text)]
            if ended == 1 or not runs:  # libFuzzer ends otherwise, whatever it finds
                raise SystemExit(f"{reader}: the fuzzer itself failed; see {folder / 'log'}")
            executions += max(runs)
            coverage = max([coverage, *map(int, _COVERAGE.findall(text))])
    found = sorted(f for f in findings.iterdir() if f.suffix != ".txt")
    return Outcome(reader, executions, coverage, found)


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz the readers named, or all; return 1 where there are findings."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("readers", nargs="*", metavar="READER", help=", ".join(FILES))
    parser.add_argument("--minutes", type=float, default=20.0, help="for each reader")
    parser.add_argument("--jobs", type=int, default=1, help="readers at a time")
    parser.add_argument("--out", type=Path, required=True, help="folder of inputs and findings")
    options = parser.parse_args(arguments)
    readers = options.readers or list(FILES)
    if unknown := sorted(set(readers) - set(FILES)):
        parser.error(f"found no reader {', '.join(unknown)}; expected some of {', '.join(FILES)}")
    if importlib.util.find_spec("atheris") is None:
        parser.error("found no atheris; expected it, which runs on Linux (x86-64) only; install it")
    out = options.out.resolve()
    with ThreadPoolExecutor(options.jobs) as pool:
        outcomes = list(pool.map(lambda r: fuzz(r, out / r, options.minutes), readers))
    print(_ROW.format("reader", "executions", "coverage", "findings"))
    for found in outcomes:
        print(_ROW.format(found.reader, found.executions, found.coverage, len(found.findings)))
    for path in (path for found in outcomes for path in found.findings):
        print(path)
    return int(any(found.findings for found in outcomes))


if __name__ == "__main__":
    raise SystemExit(main())
