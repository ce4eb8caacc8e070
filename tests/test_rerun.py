"""A run processes what changed and nothing else, and its tables depend on the corpus alone."""

from __future__ import annotations

import json
import shutil

import pytest

from hedgerow import fingerprints, plan, store, tables
from hedgerow.errors import LockedError, SettingsError, StoreError
from tests.conftest import PAGES, listing, published, rows, write

pytestmark = pytest.mark.usefixtures("small_buckets")


def test_a_second_run_says_that_nothing_changed_and_writes_nothing(run, outputs):
    first = run()
    before = listing(outputs)
    second = run()
    assert first.published and not second.published
    assert second.plan.documents == 0
    assert {k: v for k, v in listing(outputs).items() if not k.startswith("lock")} == {
        k: v for k, v in before.items() if not k.startswith("lock")
    }


def test_an_edited_document_changes_its_own_rows_only(run, corpus, outputs):
    run()
    before = {name: rows(outputs, name) for name in ("claims", "sentences", "entities")}
    parts = {p.name: p.stat().st_ino for p in (outputs / "latest" / "claims").iterdir()}
    write(corpus / "one.txt", PAGES["one.txt"].replace("lower", "raise"))
    outcome = run()
    assert outcome.plan.changed == ("one.txt",) and outcome.plan.documents == 1
    for name, old in before.items():
        kept = [row for row in rows(outputs, name) if row["doc_id"] != "one.txt"]
        assert kept == [row for row in old if row["doc_id"] != "one.txt"]
    shared = {p.name: p.stat().st_ino for p in (outputs / "latest" / "claims").iterdir()}
    assert set(parts.items()) & set(shared.items()), "unchanged parts are hard links"
    changes = rows(outputs, "changes")
    assert {row["doc_id"] for row in changes} == {"one.txt"}
    assert {row["cause"] for row in changes} == {"document"}
    texts = {row["change"]: row["text"] for row in changes if row["change"] != "changed"}
    assert "lower" in texts["removed"] and "raise" in texts["added"]


def test_added_and_removed_documents_enter_and_leave_the_tables(run, corpus, outputs):
    run()
    write(corpus / "five.txt", "Ginger relieves nausea.")
    (corpus / "two.md").unlink()
    outcome = run()
    assert outcome.plan.added == ("five.txt",) and outcome.plan.removed == ("melatonin",)
    doc_ids = {row["doc_id"] for row in rows(outputs, "documents")}
    assert "five.txt" in doc_ids and "melatonin" not in doc_ids
    found = {(row["doc_id"], row["change"]) for row in rows(outputs, "changes")}
    assert found == {("five.txt", "added"), ("melatonin", "removed")}


def test_a_claim_keeps_its_id_when_other_text_changes(run, corpus, outputs):
    run()
    before = {r["claim_id"] for r in rows(outputs, "claims") if r["doc_id"] == "one.txt"}
    write(
        corpus / "one.txt",
        PAGES["one.txt"].replace(
            "\n\nAspirin reduces", "\n\nWillow bark was used in antiquity.\n\nAspirin reduces"
        ),
    )
    run()
    after = {r["claim_id"] for r in rows(outputs, "claims") if r["doc_id"] == "one.txt"}
    assert before and before <= after


def test_a_file_renamed_under_its_declared_id_keeps_its_claims(run, corpus, outputs):
    run()
    before = {r["claim_id"] for r in rows(outputs, "claims") if r["doc_id"] == "melatonin"}
    (corpus / "two.md").rename(corpus / "deep" / "renamed.md")
    run()
    claims = [r for r in rows(outputs, "claims") if r["doc_id"] == "melatonin"]
    assert before and {r["claim_id"] for r in claims} == before


@pytest.mark.parametrize(
    "options",
    [{"batch_documents": 1}, {"batch_documents": 3}, {"batch_bytes": 1}, {"full": True}],
    ids=str,
)
def test_batching_and_full_runs_do_not_change_a_byte(run, outputs, tmp_path, options):
    run()
    run(outputs=tmp_path / "other", **options)
    assert published(tmp_path / "other") == published(outputs)


def test_two_workers_do_not_change_a_byte(run, outputs, tmp_path, monkeypatch):
    # Workers are spawned and would not see a patched bucket size, so this one runs with the real.
    monkeypatch.setattr(store, "BUCKET_DOCUMENTS", 64)
    run()
    run(outputs=tmp_path / "other", workers=2, batch_documents=2)
    assert published(tmp_path / "other") == published(outputs)


def test_the_order_of_files_on_disk_does_not_change_a_byte(run, corpus, outputs, tmp_path):
    run()
    other = tmp_path / "reversed"
    for name in reversed(PAGES):
        write(other / name, PAGES[name])
    run(corpus=other, outputs=tmp_path / "other")
    assert published(tmp_path / "other") == published(outputs)


def test_a_history_of_reruns_ends_with_the_tables_of_a_full_run(run, corpus, outputs, tmp_path):
    run()
    write(corpus / "five.txt", "Ginger relieves nausea.")
    run()
    (corpus / "one.txt").unlink()
    write(corpus / "four.jsonl", PAGES["four.jsonl"].replace("probably", "certainly"))
    run()
    write(corpus / "one.txt", PAGES["one.txt"])
    run()
    run(outputs=tmp_path / "other", full=True)
    assert published(tmp_path / "other") == published(outputs)


def test_a_changed_lexicon_costs_no_neural_pass(run, outputs, monkeypatch):
    run()
    original = fingerprints.resource_digests
    monkeypatch.setattr(
        plan, "resource_digests", lambda settings: {**original(settings), "lexicon": "other"}
    )
    outcome = run()
    assert outcome.plan.documents == len(rows(outputs, "documents"))
    assert outcome.plan.cause == "lexicon"
    assert "cues" in outcome.seconds and "annotations" not in outcome.seconds


def test_one_changed_line_of_a_jsonl_file_reprocesses_one_document(run, corpus, outputs):
    run()
    line = '{"id": "new", "text": "Garlic may lower blood pressure."}\n'
    write(corpus / "four.jsonl", line + PAGES["four.jsonl"])
    outcome = run()
    assert outcome.plan.added == ("new",) and outcome.plan.documents == 1


def test_sources_toml_overrides_metadata_and_is_named_as_the_cause(run, corpus, outputs):
    run()
    write(corpus / "sources.toml", '[[source]]\nmatch = "*.txt"\ninterest = "blog"\n')
    outcome = run()
    assert outcome.plan.changed == ("one.txt",)
    row = next(r for r in rows(outputs, "documents") if r["doc_id"] == "one.txt")
    assert row["interest"] == "blog" and "sources.toml" in row["interest_basis"]
    changes = rows(outputs, "changes")
    assert {(r["field"], r["cause"]) for r in changes} >= {("interest", "source settings")}


def test_a_wrong_sources_toml_is_named(run, corpus):
    write(corpus / "sources.toml", '[[source]]\nmatch = "*.txt"\ninterest = "rich uncle"\n')
    with pytest.raises(SettingsError, match="rich uncle"):
        run()


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(run, outputs):
    outcome = run(dry_run=True)
    assert outcome.plan.documents == 5 and not outputs.exists()


def test_a_stage_alone_publishes_nothing_and_the_next_run_goes_on_from_it(run, outputs):
    run(until="sentences")
    assert not (outputs / "latest").exists()
    outcome = run()
    assert outcome.published
    assert "sentences" not in outcome.seconds and "annotations" in outcome.seconds


def test_two_runs_at_once_the_second_refuses_and_names_the_first(run, outputs):
    with (
        store.Outputs(outputs).lock("another corpus"),
        pytest.raises(LockedError, match="another corpus"),
    ):
        run()


def test_old_snapshots_are_collected_but_not_within_the_grace_time(run, corpus, outputs):
    for number in range(4):
        write(corpus / "five.txt", f"Ginger relieves nausea in {number} of 9 people.")
        run(keep_snapshots=2)
    folder = store.Outputs(outputs)
    assert len(folder.all()) == 4
    assert len(folder.collect(keep=2, grace_seconds=0)) == 2
    assert len(folder.all()) == 2
    assert store.verify(folder.snapshot()) == []


def test_snapshots_are_complete_and_every_table_has_a_part(run, outputs):
    run()
    snapshot = store.Outputs(outputs).snapshot()
    assert store.verify(snapshot) == []
    assert set(snapshot.manifest.tables) == set(tables.TABLES)
    assert not (outputs / "work").exists()
    json.loads((outputs / "latest" / "manifest.json").read_text())


def test_an_empty_corpus_gives_empty_tables_with_all_columns(run, corpus, outputs):
    shutil.rmtree(corpus)
    corpus.mkdir()
    run()
    for name in tables.TABLES:
        if name not in ("runs",):
            assert rows(outputs, name) == []
    assert store.verify(store.Outputs(outputs).snapshot()) == []


@pytest.mark.parametrize("harm", ["flip", "remove", "add"])
def test_verify_finds_harm(run, outputs, harm):
    run()
    part = next((outputs / "latest" / "claims").iterdir())
    if harm == "flip":
        data = bytearray(part.read_bytes())
        data[len(data) // 2] ^= 1
        part.write_bytes(data)
    elif harm == "remove":
        part.unlink()
    else:
        (part.parent / "stray.parquet").write_bytes(b"")
    problems = store.verify(store.Outputs(outputs).snapshot())
    assert len(problems) == 1 and "claims" in problems[0]


def test_a_snapshot_of_another_version_is_refused_and_a_full_run_replaces_it(run, outputs):
    run()
    manifest = (outputs / "latest").resolve() / "manifest.json"
    manifest.write_text(manifest.read_text("utf-8").replace('"format": 2', '"format": 1'), "utf-8")
    with pytest.raises(StoreError, match=r"found manifest format 1; expected 2.*--full"):
        run()
    outcome = run(full=True)
    assert outcome.published and outcome.plan.documents == 5
