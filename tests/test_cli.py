"""The command line: help everywhere, known errors in one line, documented exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import typer

from hedgerow import cli, store
from tests.conftest import write

COMMANDS = sorted(typer.main.get_command(cli.app).commands)


def hedgerow(*arguments, **environment):
    """Call the command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "hedgerow", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb", **environment},
    )


@pytest.fixture
def call(monkeypatch, capsys):
    """Call the command line in this process; return (exit code, standard output, error)."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["hedgerow", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        printed = capsys.readouterr()
        return stop.value.code or 0, printed.out, printed.err

    return run


@pytest.fixture
def snapshot(run, outputs):
    run()
    return outputs


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_an_example(command, call):
    code, out, _ = call(command, "--help")
    assert code == 0 and f"hedgerow {command}" in out and "Example" in out


def test_a_run_from_the_shell_ends_with_a_summary(corpus, outputs):
    done = hedgerow("run", "--corpus", corpus, "--outputs", outputs)
    assert done.returncode == 0, done.stderr
    for word in ("documents", "claims", "certain", "conflicts", "rejects", "seconds", "latest"):
        assert word in done.stdout
    again = hedgerow("run", "--corpus", corpus, "--outputs", outputs)
    assert again.returncode == 0 and "Nothing changed" in again.stdout


def test_json_log_is_a_json_object_a_line(corpus, outputs):
    done = hedgerow("run", "--corpus", corpus, "--outputs", outputs, "--log", "json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events[0]["event"] == "started"
    assert events[-1]["event"] == "finished" and events[-1]["documents"] == 5
    assert done.stderr == ""


def test_strict_publishes_all_the_same_and_exits_with_1(corpus, outputs, call):
    write(corpus / "empty.txt", "")
    code, _, err = call("run", "--corpus", corpus, "--outputs", outputs, "--strict")
    assert code == 1 and "empty.txt" in err
    assert store.Outputs(outputs).snapshot() is not None


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["run", "--corpus", "/nowhere"], 2, "/nowhere"),
        (["run", "--workers", "0"], 2, "workers"),
        (["run", "--engine", "steam"], 2, "engine"),
        (["run", "--no-such-flag"], 2, "no-such-flag"),
        (["schema", "nonsense"], 2, "nonsense"),
        (["run", "--model", "/nowhere/model"], 3, "/nowhere/model"),
        (["verify", "--outputs", "/nowhere/outputs"], 3, "hedgerow run"),
    ],
)
def test_known_errors_are_one_line_and_a_documented_code(
    arguments, code, words, call, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "corpus").mkdir()
    found, _, err = call(*arguments)
    assert found == code and words in err and "Traceback" not in err


def test_settings_come_from_flags_then_environment_then_file(tmp_path, monkeypatch):
    from hedgerow import settings

    monkeypatch.chdir(tmp_path)
    (tmp_path / "hedgerow.toml").write_text('workers = 2\nbatch_documents = 7\ncorpus = "c"\n')
    monkeypatch.setenv("HEDGEROW_BATCH_DOCUMENTS", "8")
    found = settings.load(corpus="d", workers=None)
    assert (found.workers, found.batch_documents, str(found.corpus)) == (2, 8, "d")


def test_a_broken_settings_file_is_named(tmp_path, monkeypatch, call):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hedgerow.toml").write_text("workers = = 2")
    code, _, err = call("run")
    assert code == 2 and "hedgerow.toml" in err


def test_verify_gc_version_and_schema_say_what_they_did(snapshot, call):
    code, out, _ = call("verify", "--outputs", snapshot)
    assert code == 0 and "keep their contract" in out
    code, out, _ = call("gc", "--outputs", snapshot, "--dry-run")
    assert code == 0 and "Would remove 0" in out
    code, out, _ = call("version")
    assert code == 0 and "spaCy" in out
    code, out, _ = call("schema", "claims")
    assert code == 0 and "certainty_score" in out


def test_show_marks_a_document_and_a_claim(snapshot, call):
    code, out, _ = call("show", "melatonin", "--outputs", snapshot)
    assert code == 0 and "Melatonin" in out
    claim = store.Outputs(snapshot).snapshot().read("claims").to_pylist()[0]
    code, out, _ = call("show", claim["claim_id"][:12], "--outputs", snapshot)
    assert code == 0 and claim["text"].split()[0] in out
    code, _, err = call("show", "nothing-like-it", "--outputs", snapshot)
    assert code == 3 and "nothing-like-it" in err


def test_conflicts_map_and_diff_are_tables(snapshot, corpus, run, call):
    for command in ("conflicts", "map"):
        code, out, _ = call(command, "--outputs", snapshot)
        assert code == 0 and out.strip()
    code, _, err = call("diff", "--outputs", snapshot)
    assert code == 3 and "before it" in err
    write(corpus / "five.txt", "Ginger relieves nausea.")
    run()
    code, out, _ = call("diff", "--outputs", snapshot)
    assert code == 0 and "added" in out and "Ginger" in out


def test_a_stage_command_prepares_and_does_not_publish(corpus, outputs, call):
    code, out, _ = call("documents", "--corpus", corpus, "--outputs", outputs)
    assert code == 0 and "Up to date through documents" in out
    assert not (outputs / "latest").exists()
