"""A snapshot copied to a file system by URL reads back the same, and the pointer comes last; a
corpus read by URL gives the tables of the same documents in a folder."""

from __future__ import annotations

import logging
import os
import shutil

import pytest

import hedgerow
from hedgerow import cli, places, remote, runner, settings, store, tables
from hedgerow.errors import SettingsError, StoreError
from tests.conftest import PAGES, published, write

SECRET = "wJalrXUtnFEMI-secret"


@pytest.fixture(scope="module")
def s3():
    """The address of an S3 server on this machine, with the bucket `bucket`."""
    boto3 = pytest.importorskip("boto3", reason="needs moto[server] and boto3 (dev)")
    server = pytest.importorskip("moto.server", reason="needs moto[server] (dev)")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    keys = {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in keys.items():
            patch.setenv(name, value)
        running.start()
        address = "{}:{}".format(*running.get_host_and_port())
        client = boto3.client("s3", endpoint_url=f"http://{address}", region_name="us-east-1")
        client.create_bucket(Bucket="bucket")
        yield address, client
        running.stop()


@pytest.fixture(params=["file", "s3"])
def far(request, tmp_path):
    """A URL to publish to."""
    if request.param == "file":
        return f"file://{tmp_path}/far"
    address, _ = request.getfixturevalue("s3")
    query = f"endpoint_override={address}&scheme=http&region=us-east-1"
    return f"s3://bucket/{tmp_path.name}/far?{query}"


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """The outputs of two runs: over the small corpus, and with a document more."""
    root = tmp_path_factory.mktemp("two")
    for name, text in PAGES.items():
        write(root / "corpus" / name, text)
    how = settings.load(corpus=root / "corpus", outputs=root / "outputs")
    runner.run(how)
    write(root / "corpus" / "five.txt", "Ginger relieves nausea.")
    runner.run(how)
    return store.Outputs(root / "outputs").all()


def test_a_published_snapshot_reads_back_the_same(two, far):
    first, second = two
    assert remote.publish(first, far) > 0
    found = hedgerow.open(far)
    for name in tables.TABLES:
        assert found.arrow(name).equals(first.read(name)), name
    assert remote.publish(first, far) == 0, "nothing is copied twice"
    remote.publish(second, far)
    assert len(hedgerow.open(far).documents()) == len(found.documents()) + 1


def test_an_interrupted_publish_leaves_the_old_pointer_and_the_next_finishes(two, far, monkeypatch):
    first, second = two
    remote.publish(first, far)
    original, written = remote._write, []

    def failing(system, target, data):
        if len(written) == 9:
            raise OSError("No space left on device")
        written.append(target)
        original(system, target, data)

    monkeypatch.setattr(remote, "_write", failing)
    monkeypatch.setattr(remote, "_AT_ONCE", 1)
    with pytest.raises(StoreError, match="No space left"):
        remote.publish(second, far)
    assert hedgerow.open(far).arrow("documents").equals(first.read("documents"))

    before = set(written)
    monkeypatch.setattr(remote, "_write", lambda *a: (written.append(a[1]), original(*a)))
    remote.publish(second, far)
    assert hedgerow.open(far).arrow("documents").equals(second.read("documents"))
    again = written[9:]
    assert not set(again) & before, "what is there is not copied again"
    assert again[-1].endswith(remote.POINTER) and again[-2].endswith("manifest.json")


def test_an_empty_place_and_a_broken_copy_are_named(two, s3, tmp_path):
    address, client = s3
    url = f"s3://bucket/{tmp_path.name}?endpoint_override={address}&scheme=http&region=us-east-1"
    with pytest.raises(StoreError, match="publish"):
        hedgerow.open(url)
    remote.publish(two[0], url)
    found = hedgerow.open(url)
    part = two[0].manifest.tables["claims"][0].file
    key = f"{tmp_path.name}/snapshots/{two[0].path.name}/claims/{part}"
    client.delete_object(Bucket="bucket", Key=key)
    with pytest.raises(StoreError, match="publish it again"):
        found.claims()


@pytest.mark.parametrize("name", ["../../elsewhere", "/etc", ".hidden", 3.5])
def test_a_pointer_leads_nowhere_but_to_a_snapshot(tmp_path, name):
    write(tmp_path / remote.POINTER, f'{{"snapshot": {str(name)!r}}}'.replace("'", '"'))
    with pytest.raises(StoreError, match="publish it again"):
        hedgerow.open(f"file://{tmp_path}")


@pytest.fixture
def bucket_corpus(s3, tmp_path, monkeypatch):
    """The small corpus in the bucket, found through the environment; and the keys read so far."""
    address, client = s3
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{address}")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr(places, "_SETTLED_SECONDS", -10)
    places.open_url.cache_clear()
    for name, text in {**PAGES, ".hidden.txt": "Zinc helps.", ".git/x.txt": "Zinc helps."}.items():
        client.put_object(Bucket="bucket", Key=f"{tmp_path.name}/{name}", Body=text.encode())
    read = []
    original = places.RemoteFile.open
    monkeypatch.setattr(
        places.RemoteFile, "open", lambda file: (read.append(file.path), original(file))[1]
    )
    yield f"s3://bucket/{tmp_path.name}", client, read
    places.open_url.cache_clear()


def test_a_corpus_in_a_bucket_gives_the_tables_of_the_same_folder(
    two, bucket_corpus, tmp_path, outputs
):
    url, client, read = bucket_corpus
    how = settings.load(corpus=url, outputs=outputs)
    assert runner.run(how).published
    local = tmp_path / "local"
    local.mkdir()
    shutil.copytree(two[0].path, local / "latest")
    assert published(outputs) == published(local)

    read.clear()
    assert not runner.run(how).published
    assert set(read) == {"sources.toml"}, "what did not change is not read again"

    prefix = url.removeprefix("s3://bucket/")
    key, text = f"{prefix}/one.txt", PAGES["one.txt"].replace("lower", "raises")
    client.put_object(Bucket="bucket", Key=key, Body=text.encode())
    read.clear()
    outcome = runner.run(how)
    assert outcome.plan.changed == ("one.txt",)
    assert set(read) == {"sources.toml", "one.txt"}


def test_a_missing_folder_in_a_bucket_is_named(bucket_corpus, outputs):
    url, _, _ = bucket_corpus
    with pytest.raises(SettingsError, match="nowhere"):
        runner.run(settings.load(corpus=f"{url}/nowhere", outputs=outputs))


def test_an_object_that_vanishes_is_a_reject_and_a_store_that_fails_ends_the_run(
    bucket_corpus, outputs, monkeypatch
):
    url, _, _ = bucket_corpus
    original = places.RemoteFile.open

    def vanish(file):
        if file.path == "one.txt":
            raise FileNotFoundError(file.path)
        return original(file)

    monkeypatch.setattr(places.RemoteFile, "open", vanish)
    outcome = runner.run(settings.load(corpus=url, outputs=outputs))
    assert [(r["path"], r["transient"]) for r in outcome.rejects] == [("one.txt", True)]

    def fail(file):
        with places.explained(file.url):
            raise OSError("the network is down")

    monkeypatch.setattr(places.RemoteFile, "open", fail)
    before = published(outputs)
    with pytest.raises(StoreError, match="network is down"):
        runner.run(settings.load(corpus=url, outputs=outputs))
    assert published(outputs) == before


@pytest.mark.parametrize(
    "url",
    [
        f"nonsense://key:{SECRET}@bucket/x?token={SECRET}",
        f"s3://key:{SECRET}@bucket/x?nonsense={SECRET}",
        f"s3://key:{SECRET}@bucket/x?endpoint_override=%%",
        f"s3://key:{SECRET.replace('-', '%2D')}@bucket/x?nonsense",
    ],
)
def test_keys_in_a_url_are_not_repeated(url, outputs, tmp_path, monkeypatch, capsys):
    with pytest.raises(StoreError) as error:
        hedgerow.open(url)
    assert "bucket/x" in str(error.value) and "secret" not in str(error.value)
    monkeypatch.setattr("sys.argv", ["hedgerow", "run", "--corpus", url, "--outputs", str(outputs)])
    with pytest.raises(SystemExit):
        cli.main()
    told = capsys.readouterr()
    assert "bucket/x" in told.err
    assert "secret" not in told.err + told.out
    left = [p for p in outputs.rglob("*") if p.is_file() and b"secret" in p.read_bytes()]
    assert left == []


def test_keys_of_the_environment_are_not_told(s3, tmp_path):
    address, _ = s3
    url = f"s3://none/x?endpoint_override={address}&scheme=http&region=us-east-1"
    write(tmp_path / "manifest.json", "{}")
    with pytest.raises(StoreError) as error:
        remote.publish(store.Snapshot(tmp_path), url)
    assert os.environ["AWS_SECRET_ACCESS_KEY"] == SECRET
    assert SECRET not in str(error.value)


def test_outputs_are_a_folder_not_a_url():
    with pytest.raises(SettingsError, match="publish"):
        settings.load(outputs="s3://bucket/outputs")
