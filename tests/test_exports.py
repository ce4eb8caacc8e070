"""What other tools get holds the same claims, and leads back to the very text."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from hedgerow import exports
from tests.evidence_fixture import Corpus, claim, sample


def reader(corpus: Corpus) -> exports.Read:
    given = corpus.tables()

    def read(
        name: str,
        *,
        columns: list[str] | None = None,
        doc_ids: Iterable[str] | None = None,
    ) -> pa.Table:
        table = given[name]
        if doc_ids is not None:
            table = table.filter(pc.is_in(table.column("doc_id"), pa.array(list(doc_ids))))
        return table.select(columns) if columns else table

    return read


def awkward() -> Corpus:
    """Return a corpus whose texts are hard on file formats."""
    corpus = sample()
    corpus.document(
        'awkward, "doc"',
        "blog",
        claim(
            '=1+1 "may", they say;\u2028 βeta 𝛼 eases\tcough | a lot',
            ("cough", "a | b"),
            "benefit",
            certainty="possible",
        ),
        "Twice. Twice.",
        claim("Twice.", "cough", "benefit"),
        url=None,
    )
    return corpus


@pytest.fixture(params=[1, 200])
def batch(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "_DOCUMENTS", request.param)


@pytest.mark.usefixtures("batch")
def test_json_lines_round_trip(tmp_path: Path) -> None:
    read = reader(awkward())
    number = exports.write_jsonl(read, tmp_path / "claims.jsonl")
    lines = (tmp_path / "claims.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
    found = [json.loads(line) for line in lines]
    assert found == list(exports.wide_claims(read))
    assert number == len(found) == read("claims").num_rows
    assert [{k: row[k] for k in read("claims").column_names} for row in found] == (
        read("claims").to_pylist()
    )


@pytest.mark.usefixtures("batch")
def test_csv_round_trips(tmp_path: Path) -> None:
    read = reader(awkward())
    exports.write_csv(read, tmp_path / "claims.csv")
    with (tmp_path / "claims.csv").open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))

    def text(value: Any) -> str:
        return "" if value is None else str(value)

    expected = [{k: text(v) for k, v in row.items()} for row in exports.wide_claims(read)]
    assert found == expected
    assert tuple(found[0]) == exports.WIDE_COLUMNS


def test_a_wide_row_joins_what_stands_in_other_tables() -> None:
    rows = {row["text"]: row for row in exports.wide_claims(reader(awkward()))}
    cited = rows["Two trials suggest that Fernwort may increase serious adverse events [2]."]
    assert cited["references"].startswith("Rowan D. Harms of Fernwort drops")
    assert cited["cues"] == "may"
    plain = rows["better sleep"]
    assert (plain["outcomes"], plain["references"], plain["cues"]) == ("sleep", None, None)


def test_annotations_lead_back_to_the_text(tmp_path: Path) -> None:
    read = reader(awkward())
    exports.write_annotations(read, tmp_path / "a.jsonld")
    page = json.loads((tmp_path / "a.jsonld").read_text(encoding="utf-8"))
    assert page["@context"][0] == "http://www.w3.org/ns/anno.jsonld"
    assert page["type"] == "AnnotationPage"
    texts = {row["doc_id"]: row["text"] for row in read("documents").to_pylist()}
    claims = {row["claim_id"]: row for row in read("claims").to_pylist()}
    assert len(page["items"]) == len(claims)
    for item in page["items"]:
        row = claims[item["id"].rsplit(":", 1)[1]]
        quote, position = item["target"]["selector"]
        text = texts[item["target"]["source"]["schema:identifier"]]
        assert text[position["start"] : position["end"]] == quote["exact"] == row["text"]
        whole = quote["prefix"] + quote["exact"] + quote["suffix"]
        assert text.find(whole) == position["start"] - len(quote["prefix"])
        assert f"certainty: {row['certainty']}" in [body["value"] for body in item["body"]]


def test_an_annotation_says_what_made_it() -> None:
    item = next(exports.web_annotations(reader(sample())))
    assert item["generator"] == {"type": "Software", "name": "Hedgerow"}


def test_no_claims_make_valid_files(tmp_path: Path) -> None:
    read = reader(Corpus())
    assert exports.write_csv(read, tmp_path / "a.csv") == 0
    assert exports.write_jsonl(read, tmp_path / "a.jsonl") == 0
    assert exports.write_annotations(read, tmp_path / "a.jsonld") == 0
    assert json.loads((tmp_path / "a.jsonld").read_text())["items"] == []
