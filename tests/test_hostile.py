"""A document that cannot be used becomes a reject with a reason, and the others go on."""

from __future__ import annotations

import pytest

from hedgerow import store
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
    assert "max_document_bytes" in rows(outputs, "rejects")[0]["detail"]


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
    from hedgerow import tasks
    from hedgerow.errors import RejectedDocument

    original = tasks.read_bytes

    def vanished(file, *, limit):
        if file.name == "one.txt":
            raise RejectedDocument("unreadable", "gone for a moment", transient=True)
        return original(file, limit=limit)

    monkeypatch.setattr(tasks, "read_bytes", vanished)
    run()
    assert _rejects(outputs) == {("one.txt", ""): "unreadable"}
    monkeypatch.undo()
    outcome = run()
    assert outcome.published and outcome.plan.documents == 1
    assert _rejects(outputs) == {} and len(rows(outputs, "documents")) == 5
