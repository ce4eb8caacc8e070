"""A document that cannot be used becomes a reject with a reason, and the others go on."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time

import pytest

from hedgerow import corpus as corpus_module
from hedgerow import readers, store, tasks
from hedgerow.corpus import file_of, read_bytes, scan
from hedgerow.errors import RejectedDocument
from hedgerow.limits import Limits
from hedgerow.readers.base import Options
from hedgerow.settings import load
from tests.benchmarks import hostile
from tests.conftest import PAGES, rows, write


def _rejects(outputs):
    return {(r["path"], r["item"]): r["reason"] for r in rows(outputs, "rejects")}


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty.txt", b"", "empty"),
        ("blank.txt", b" \n\n\t\n", "empty"),
        ("binary.txt", bytes(range(256)) * 40, "binary"),
        ("program.md", b"\x7fELF\x00\x00\x00" * 100, "binary"),
        ("bodyless.html", b"<html><head><title>x</title></head></html>", "no_text"),
        ("picture.png", b"\x89PNG", "unknown_format"),
        ("noname", b"Aspirin works.", "unknown_format"),
    ],
)
def test_an_unusable_file_is_a_reject_with_its_reason(run, corpus, outputs, name, content, reason):
    write(corpus / name, content)
    run()
    assert _rejects(outputs) == {(name, ""): reason}
    assert len(rows(outputs, "documents")) == 5
    assert store.verify(store.Outputs(outputs).snapshot()) == []


def test_malformed_json_lines_are_rejects_and_the_good_lines_count(run, corpus, outputs):
    lines = [
        b'{"id": "good", "text": "Zinc may help."}',
        b'{"id": "broken", "text": ',
        b'["a", "list"]',
        b'{"id": "textless"}',
        b'{"text": "Zinc may help."}',
        b"",
        b'{"id": "good too", "text": "Zinc helps."}',
    ]
    write(corpus / "lines.jsonl", b"\n".join(lines))
    run()
    doc_ids = {row["doc_id"] for row in rows(outputs, "documents")}
    assert {"good", "good too"} <= doc_ids
    assert _rejects(outputs) == {
        ("lines.jsonl", "line 2"): "malformed",
        ("lines.jsonl", "line 3"): "malformed",
        ("lines.jsonl", "line 4"): "malformed",
        ("lines.jsonl", "line 5"): "missing_id",
    }


def test_a_second_document_with_the_same_id_is_a_reject(run, corpus, outputs, tmp_path):
    write(corpus / "zz.md", PAGES["two.md"].replace("faster", "slower"))
    run()
    assert _rejects(outputs) == {("zz.md", ""): "duplicate_id"}
    detail = rows(outputs, "rejects")[0]["detail"]
    assert "melatonin" in detail and "two.md" in detail
    (corpus / "two.md").unlink()
    run()
    assert _rejects(outputs) == {}
    row = next(r for r in rows(outputs, "documents") if r["doc_id"] == "melatonin")
    assert row["path"] == "zz.md"


def test_broken_utf8_is_read_and_its_offsets_hold(run, corpus, outputs):
    write(corpus / "latin.txt", "Caf\u00e9ine may cause na\u00efve headaches.".encode("latin-1"))
    write(corpus / "broken.txt", b"Zinc may help \xff\xfe\xfa colds in adults.")
    run()
    doc_ids = {row["doc_id"] for row in rows(outputs, "documents")}
    rejected = {path for path, _ in _rejects(outputs)}
    assert {"latin.txt", "broken.txt"} <= doc_ids | rejected
    assert "latin.txt" in doc_ids
    assert store.verify(store.Outputs(outputs).snapshot()) == []


def test_a_line_of_50_megabytes_is_a_reject_that_names_the_limit(run, corpus, outputs):
    write(corpus / "long.txt", b"zinc " * 10_000_000)
    run()
    assert _rejects(outputs) == {("long.txt", ""): "too_large"}
    assert "limits.document_bytes" in rows(outputs, "rejects")[0]["detail"]


def test_a_long_line_within_the_limit_is_read(run, corpus, outputs):
    write(corpus / "long.txt", b"Zinc may help. " * 4_000)
    run()
    assert "long.txt" in {row["doc_id"] for row in rows(outputs, "documents")}


def test_a_link_loop_ends_and_is_said(run, corpus, outputs):
    (corpus / "deep" / "loop").symlink_to(corpus)
    (corpus / "self.txt").symlink_to(corpus / "self.txt")
    run()
    assert _rejects(outputs) == {("deep/loop", ""): "unreadable", ("self.txt", ""): "unreadable"}
    assert len(rows(outputs, "documents")) == 5


def test_hidden_files_are_passed_over(run, corpus, outputs):
    write(corpus / ".hidden.txt", "Zinc helps.")
    write(corpus / ".git" / "x.txt", "Zinc helps.")
    run()
    assert _rejects(outputs) == {} and len(rows(outputs, "documents")) == 5


def test_a_reject_stays_in_later_snapshots_until_it_is_mended(run, corpus, outputs):
    write(corpus / "bodyless.html", b"<html><head><title>x</title></head></html>")
    run()
    write(corpus / "five.txt", "Ginger relieves nausea.")
    outcome = run()
    assert outcome.plan.documents == 1
    assert _rejects(outputs) == {("bodyless.html", ""): "no_text"}
    assert not run().published
    write(
        corpus / "bodyless.html", b"<html><body><p>Ginger relieves nausea well.</p></body></html>"
    )
    run()
    assert _rejects(outputs) == {}


def test_a_file_that_cannot_be_read_now_is_tried_again_by_the_next_run(
    run, corpus, outputs, monkeypatch
):
    original = tasks.read_bytes

    def vanished(file, limits):
        if file.name == "one.txt":
            raise RejectedDocument("unreadable", "gone for a moment", transient=True)
        return original(file, limits)

    monkeypatch.setattr(tasks, "read_bytes", vanished)
    run()
    assert _rejects(outputs) == {("one.txt", ""): "unreadable"}
    monkeypatch.undo()
    outcome = run()
    assert outcome.published and outcome.plan.documents == 1
    assert _rejects(outputs) == {} and len(rows(outputs, "documents")) == 5


# -- every hostile input of the benchmark ----------------------------------------------------------

_INPUTS = tuple(one for one in hostile.INPUTS if not one.slow)


@pytest.fixture(scope="module")
def ended() -> dict[str, object]:
    """What came of all hostile inputs in one corpus folder, in a process of its own."""
    pytest.importorskip("reportlab")
    return hostile.measured(_INPUTS)


@pytest.mark.parametrize("one", _INPUTS, ids=lambda one: ascii(one.name[:30]))
def test_a_hostile_input_ends_with_its_reason(ended, one):
    shown = corpus_module._shown(one.name)
    found = [r for r in ended["rejects"] if r["path"] == shown]
    assert [r["reason"] for r in found] == ([] if one.reason is None else [one.reason])
    for reject in found:
        assert f"limits.{one.limit}" in reject["detail"] or not one.limit
        assert not reject["transient"] or one.name in ("loop.txt", "up.txt")
        assert "; " in reject["detail"]  # what to do comes last


def test_the_other_documents_are_unharmed_and_memory_is_bounded(ended):
    read = [one for one in _INPUTS if one.reason is None]
    assert ended["documents"] == 1 + len(read)
    known = {corpus_module._shown(one.name) for one in _INPUTS}
    assert {r["path"] for r in ended["rejects"]} <= known
    assert ended["peak"] < 1_500, "megabytes; the model and its libraries take about 300"


@pytest.mark.parametrize("one", hostile.STRESS, ids=lambda one: one.name)
def test_a_reader_takes_time_that_grows_with_a_run_of_one_thing(tmp_path, one):
    """Twice as much of it takes about twice as long: what is quadratic would take 16 times."""

    def seconds(times: int) -> float:
        one.write(tmp_path / one.name)
        content = (tmp_path / one.name).read_bytes()
        content = content[: len(hostile.HONEST)] + content[len(hostile.HONEST) :][: 5_000 * times]
        best = float("inf")
        for _ in range(3):
            began = time.process_time()
            with contextlib.suppress(RejectedDocument):
                readers.read(one.name, content, Options())
            best = min(best, time.process_time() - began)
        return best

    short = max(seconds(1), 0.01)
    assert seconds(4) < 9 * short


# -- limits ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "limit"),
    [
        ("a.txt", b"x" * 101, {"file_bytes": 100}),
        ("a.txt", b"Zinc helps. " * 20, {"document_bytes": 100}),
        ("a.txt", b"Zinc helps. " * 20, {"characters": 100}),
        ("a.txt", b"Zinc helps.\n\n" * 20, {"blocks": 10}),
        ("a.md", b"Zinc helps.\n\n" * 20, {"blocks": 10}),
        ("a.html", b"<p>Zinc helps.</p>" * 20, {"blocks": 10}),
        ("a.html", b"<p>Zinc helps.</p>" * 20, {"tags": 10}),
        ("a.html", b"<p a b c>Zinc helps.</p>" * 6, {"tags": 15}),
        ("a.md", b"*Zinc* helps.\n\n" * 20, {"tags": 10}),
        ("a.xml", hostile._article("<p>Zinc helps.</p>" * 20), {"tags": 10}),
        ("a.md", b">" * 20 + b"Zinc helps.", {"depth": 10}),
        ("a.jsonl", b'{"id": 1, "text": "Zinc helps."}\n' * 20, {"documents": 10}),
        ("a.csv", b"id,text,a,b,c\n", {"columns": 4}),
    ],
)
def test_each_limit_is_a_setting(run, corpus, outputs, name, content, limit):
    write(corpus / "b" / name, content)
    for path in PAGES:
        (corpus / path).unlink()
    write(corpus / "honest.txt", "Zinc helps.")
    run(limits=limit)
    (reject,) = rows(outputs, "rejects")
    (field,) = limit
    assert (reject["path"], reject["reason"]) == (f"b/{name}", "too_large")
    assert f"(limits.{field})" in reject["detail"] and "hedgerow.toml" in reject["detail"]
    assert f"expected at most {limit[field]:,}" in reject["detail"]
    assert len(rows(outputs, "documents")) == 1
    assert run(limits=limit).published is False
    run()
    assert rows(outputs, "rejects") == [] or name == "a.jsonl" or name == "a.csv"


def test_a_footer_that_lies_cannot_take_more_memory_than_the_limit(tmp_path):
    """The true size of a page shows only when it is unpacked, in a process that can't hold it."""
    folder = tmp_path / "corpus"
    write(folder / "lie.parquet", hostile.lying_parquet(200_000_000))
    write(folder / "honest.txt", hostile.HONEST)
    found = scan(load(corpus=folder, outputs=tmp_path, limits={"unpacked_bytes": 10_000_000}))
    assert [e.path for e in found.entries.values()] == ["honest.txt"]
    (reject,) = found.rejects
    assert reject.path == "lie.parquet"
    assert reject.reason == "worker_failed" or "limits.unpacked_bytes" in reject.detail


# -- files that vanish, change or cannot be read ---------------------------------------------------


def test_a_file_that_changes_while_it_is_read_is_tried_again(run, corpus, outputs, monkeypatch):
    original = corpus_module._unpacked

    def changing(stream, *rest):
        content = original(stream, *rest)
        if content.startswith(b"Aspirin"):
            write(corpus / "one.txt", content + b"More of it.")
        return content

    monkeypatch.setattr(corpus_module, "_unpacked", changing)
    run()
    (reject,) = rows(outputs, "rejects")
    assert reject["reason"] == "unreadable" and reject["transient"]
    assert "changed while it was read" in reject["detail"]
    monkeypatch.undo()
    run()
    assert rows(outputs, "rejects") == [] and len(rows(outputs, "documents")) == 5


def test_a_file_that_vanishes_after_the_scan_is_tried_again(run, corpus, outputs, monkeypatch):
    monkeypatch.setattr(tasks, "file_of", lambda root, path: (
        (root / "gone") if path == "one.txt" else file_of(root, path)))  # fmt: skip
    run()
    (reject,) = rows(outputs, "rejects")
    assert (reject["path"], reject["reason"], reject["transient"]) == (
        "one.txt",
        "unreadable",
        True,
    )
    monkeypatch.undo()
    run()
    assert rows(outputs, "rejects") == [] and len(rows(outputs, "documents")) == 5


def test_a_file_and_a_folder_without_permission_are_transient_rejects(run, corpus, outputs):
    if os.geteuid() == 0:
        pytest.skip("the superuser may read everything")
    (corpus / "one.txt").chmod(0)
    (corpus / "deep").chmod(0)
    run()
    (corpus / "deep").chmod(0o700)
    found = {(r["path"], r["reason"], r["transient"]) for r in rows(outputs, "rejects")}
    assert found == {("deep", "unreadable", True), ("one.txt", "unreadable", True)}


def test_what_the_system_says_of_a_file_is_said(tmp_path, monkeypatch):
    write(tmp_path / "a.txt", "Zinc helps.")

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(RejectedDocument, match="unreadable: Permission denied") as rejected:
        read_bytes(tmp_path / "a.txt", Limits())
    assert rejected.value.transient


def test_names_in_decomposed_unicode_are_read_under_the_composed_one(run, corpus, outputs):
    write(corpus / "cafe\u0301" / "na\u0308chste.txt", "Zinc may help.")
    run()
    assert "caf\xe9/n\xe4chste.txt" in {d["doc_id"] for d in rows(outputs, "documents")}
    write(corpus / "caf\xe9" / "n\xe4chste.txt", "Zinc may help.")
    run()
    (reject,) = rows(outputs, "rejects")
    assert "differs only in how its accents are encoded" in reject["detail"]


@pytest.fixture
def deep_folder(corpus):
    """A folder deeper than Python's calls may be; pytest could not remove it either."""
    folders = [corpus]
    for _ in range(1_100):
        folders.append(folders[-1] / "d")
        folders[-1].mkdir()
    yield folders[-1]
    for folder in reversed(folders[1:]):
        for file in folder.glob("*.txt"):
            file.unlink()
        folder.rmdir()


def test_a_very_deep_folder_is_read(run, outputs, deep_folder):
    (deep_folder / "deep.txt").write_text("Zinc may help.")
    run()
    assert any(d["path"].endswith("/deep.txt") for d in rows(outputs, "documents"))


def test_the_exit_code_says_that_something_was_rejected(corpus, outputs):
    write(corpus / "laughs.xml", hostile._laughs())

    def call(*flags: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "hedgerow", "run", "--log", "json", *flags]
        command += ["--corpus", str(corpus), "--outputs", str(outputs)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert call().returncode == 0
    strict = call("--strict")
    assert strict.returncode == 1
    (reject,) = json.loads(strict.stdout.splitlines()[-1])["rejects"]
    assert (reject["path"], reject["reason"]) == ("laughs.xml", "malformed")
    assert "declaration of the entity" in reject["detail"]
