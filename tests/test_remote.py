"""A snapshot copied to a file system by URL reads back the same, and the pointer comes last."""

from __future__ import annotations

import pytest

import hedgerow
from hedgerow import remote, store, tables
from hedgerow.errors import StoreError
from tests.conftest import write


def test_a_published_snapshot_reads_back_the_same(run, corpus, outputs, tmp_path):
    run()
    url = f"file://{tmp_path}/far"
    first = store.Outputs(outputs).snapshot()
    assert remote.publish(first, url) > 0
    far = hedgerow.open(url)
    for name in tables.TABLES:
        assert far.arrow(name).equals(first.read(name)), name
    assert remote.publish(first, url) == 0, "nothing is copied twice"

    write(corpus / "five.txt", "Ginger relieves nausea.")
    run()
    remote.publish(store.Outputs(outputs).snapshot(), url)
    assert len(hedgerow.open(url).documents()) == len(far.documents()) + 1


def test_the_pointer_stays_until_all_files_are_there(run, outputs, tmp_path, monkeypatch):
    run()
    url = f"file://{tmp_path}/far"
    original = remote._write

    def full(system, target, data):
        if target.endswith("manifest.json"):
            raise OSError("No space left on device")
        original(system, target, data)

    monkeypatch.setattr(remote, "_write", full)
    with pytest.raises(StoreError, match="No space left"):
        remote.publish(store.Outputs(outputs).snapshot(), url)
    with pytest.raises(StoreError, match="publish"):
        hedgerow.open(url)


@pytest.mark.parametrize(
    "url",
    ["nonsense://key:secret@bucket/x?token=secret", "s3://key:secret@bucket/x?nonsense=secret"],
)
def test_secrets_in_a_url_are_not_repeated(url):
    with pytest.raises(StoreError) as error:
        hedgerow.open(url)
    assert "bucket/x" in str(error.value) and "secret" not in str(error.value)
