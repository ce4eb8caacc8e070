"""Knowledge bases: every format, merging, labels, linking; errors name file and line."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from hedgerow import fingerprints, kb, settings
from hedgerow.errors import ResourceError, SettingsError
from hedgerow.nlp.linker import Linker, load_linker, read_concepts
from hedgerow.nlp.names import NameIndex
from hedgerow.nlp.rules import load_data
from hedgerow.tables import ENTITY_LABELS
from tests.conftest import rows, write

JSONL = (
    json.dumps({"id": "X:1", "name": "zincovarin", "aliases": ["ZV-12"], "types": ["DRUG"]})
    + "\n\n"
    + json.dumps({"id": "X:2", "name": "being odd", "types": ["MOOD"]})
    + "\n"
    + json.dumps({"id": "X:1", "name": "Zincovarin hydrate", "types": ["CHEMICAL"]})
)
OBO = """format-version: 1.2
ontology: doid

[Term]
id: DOID:1
name: velvet lung
synonym: "plush lung disease" EXACT []
synonym: "lung thing" BROAD []

[Term]
id: DOID:2
name: gone fever
is_obsolete: true

[Typedef]
id: part_of
name: part of
"""
DESCRIPTORS = """<?xml version="1.0"?>
<!DOCTYPE DescriptorRecordSet SYSTEM "https://example.org/desc.dtd">
<DescriptorRecordSet LanguageCode="eng"><DescriptorRecord DescriptorClass="1">
<DescriptorUI>D1</DescriptorUI><DescriptorName><String>Glass Marrow</String></DescriptorName>
<TreeNumberList><TreeNumber>C15.378</TreeNumber></TreeNumberList>
<ConceptList><Concept><TermList><Term><String>Marrow, Glass</String></Term></TermList></Concept>
</ConceptList></DescriptorRecord></DescriptorRecordSet>
"""
SUPPLEMENT = """<SupplementalRecordSet><SupplementalRecord SCRClass="1">
<SupplementalRecordUI>C1</SupplementalRecordUI>
<SupplementalRecordName><String>oxypumilin</String></SupplementalRecordName>
</SupplementalRecord></SupplementalRecordSet>
"""
ASCII = """*NEWRECORD
RECTYPE = D
MH = Pumilase
PRINT ENTRY = Pumilin Hydrolase|T116|T126|NON|EQV|UNK (19XX)|780101|abbcdef
ENTRY = EC 9.9.9
MN = D08.811.277
MN = D12.776
UI = D2

*NEWRECORD
MH = Bookbinding
MN = J01.1
UI = D3
"""
MRCONSO = """C01|ENG|S|L1|VO|S1|N|A1||||MSH|ET|D9|Cobalt sneeze|0|N||
C01|ENG|P|L2|PF|S2|Y|A2||||SNOMEDCT_US|PT|9|Cobaltic sneezing|0|N||
C01|FRE|S|L3|PF|S3|Y|A3||||MSHFRE|PT|9|Éternuement|0|N||
C01|ENG|S|L4|PF|S4|Y|A4||||MSH|PT|9|Old sneeze|0|O||
C02|ENG|P|L5|PF|S5|Y|A5||||MSH|MH|D8|Tin whistle protein|0|N||
"""
MRSTY = "C01|T047|B|Disease or Syndrome|AT1||\nC02|T116|A|Amino Acid, Peptide, or Protein|AT2||\n"


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """A tiny file of each format."""
    texts = {
        "own.jsonl": JSONL,
        "doid.obo": OBO,
        "desc.xml": DESCRIPTORS,
        "supp.xml": SUPPLEMENT,
        "d.bin": ASCII,
        "MRCONSO.RRF": MRCONSO,
    }
    for name, text in {**texts, "MRSTY.RRF": MRSTY}.items():
        write(tmp_path / "in" / name, text)
    return [tmp_path / "in" / name for name in texts]


def linked(folder: Path, name: str, label: str) -> str | None:
    link = load_linker(folder).link([(name, label)])[name, label]
    return link.concept.id if link else None


@pytest.mark.parametrize(
    ("name", "label", "expected"),
    [
        ("Zincovarin", "CHEMICAL", "X:1"),
        ("zincovarin hydrates", "CHEMICAL", "X:1"),
        ("ZV12", "CHEMICAL", "X:1"),
        ("being odd", "CHEMICAL", None),
        ("plush lung disease", "DISEASE", "DOID:1"),
        ("lung thing", "DISEASE", None),
        ("gone fever", "DISEASE", None),
        ("glass marrows", "DISEASE", "MESH:D1"),
        ("marrow, glass", "DISEASE", "MESH:D1"),
        ("oxypumilin", "CHEMICAL", "MESH:C1"),
        ("pumilin hydrolase", "GENE", "MESH:D2"),
        ("bookbinding", "CHEMICAL", None),
        ("cobalt sneezes", "DISEASE", "UMLS:C01"),
        ("Éternuement", "DISEASE", None),
        ("old sneeze", "DISEASE", None),
        ("tin whistle protein", "GENE", "UMLS:C02"),
        ("Cerebrolysin", "CHEMICAL", "HR:cerebrolysin"),
    ],
)
def test_every_format_is_linked_to(
    files: list[Path], tmp_path: Path, name: str, label: str, expected: str | None
) -> None:
    kb.build(files, tmp_path / "kb")
    assert linked(tmp_path / "kb", name, label) == expected


def test_the_summary_counts_what_was_kept_and_what_was_not(
    files: list[Path], tmp_path: Path
) -> None:
    shipped = len(read_concepts(sorted((settings.shipped_model() / "kb").glob("*.jsonl"))))
    summary = kb.build(files, tmp_path / "kb")
    assert summary.entries == shipped + 7
    assert summary.merged == 1
    assert summary.dropped == {"type MOOD has no label": 1, "type J has no label": 1}
    concept = NameIndex.load(tmp_path / "kb")[shipped]
    assert (concept.id, concept.name, concept.types) == ("X:1", "zincovarin", ("CHEMICAL",))


def test_a_type_is_mapped_or_left_out(files: list[Path], tmp_path: Path) -> None:
    summary = kb.build(files, tmp_path / "kb", types={"MOOD": "OUTCOME", "C15": "-"})
    assert linked(tmp_path / "kb", "being odd", "OUTCOME") == "X:2"
    assert linked(tmp_path / "kb", "glass marrow", "DISEASE") is None
    assert summary.dropped["type C is left out"] == 1
    with pytest.raises(SettingsError, match=r"labels FEELING; expected some of CHEMICAL"):
        kb.build(files, tmp_path / "kb", types={"MOOD": "FEELING"})


def test_umls_is_filtered_by_vocabulary_and_type(files: list[Path], tmp_path: Path) -> None:
    filters = kb.Filters(frozenset({"MSH"}), frozenset({"T047"}))
    kb.build(files[-1:], tmp_path / "kb", filters=filters)
    assert linked(tmp_path / "kb", "cobalt sneeze", "DISEASE") == "UMLS:C01"
    assert linked(tmp_path / "kb", "cobaltic sneezing", "DISEASE") is None
    assert linked(tmp_path / "kb", "tin whistle protein", "GENE") is None


def test_the_same_files_give_the_same_bytes_packed_or_not(
    files: list[Path], tmp_path: Path
) -> None:
    packed = []
    for file in files:
        beside = [file.with_name("MRSTY.RRF")] if file.name.startswith("MRCONSO") else []
        for each in (file, *beside):
            write(tmp_path / "gz" / f"{each.name}.gz", gzip.compress(each.read_bytes()))
        packed.append(tmp_path / "gz" / f"{file.name}.gz")
    kb.build(files, tmp_path / "kb")
    kb.build(packed, tmp_path / "other")
    kb.build(files, tmp_path / "other")
    one, other = (
        {file.name: file.read_bytes() for file in (tmp_path / name).iterdir()}
        for name in ("kb", "other")
    )
    assert one == other


def test_names_are_found_in_text_only_on_request(files: list[Path], tmp_path: Path) -> None:
    text = "Zincovarin beats Cerebrolysin."
    for find, expected in ((False, ["Cerebrolysin"]), (True, ["Zincovarin", "Cerebrolysin"])):
        kb.build(files, tmp_path / "kb", find=find)
        found = NameIndex.load(tmp_path / "kb").find(text)
        assert [text[start:end] for start, end, _ in found] == expected


def test_a_saved_index_answers_as_the_one_in_memory(tmp_path: Path) -> None:
    concepts = read_concepts(sorted((settings.shipped_model() / "kb").glob("*.jsonl")))
    kb_folder = tmp_path / "kb"
    NameIndex.build(concepts).save(kb_folder, {})
    names = [
        (name + ending, c.types[0])
        for c in concepts
        for name in (c.name, *c.aliases)
        for ending in ("", "e")
    ]
    fresh, saved = Linker(concepts), load_linker(kb_folder)
    text = ". ".join(name for name, _ in names)
    assert list(fresh.find(text)) == list(saved.find(text))
    ids = [
        {
            pair: (link.concept.id, link.score) if link else None
            for pair, link in linker.link(names).items()
        }
        for linker in (fresh, saved)
    ]
    assert ids[0] == ids[1]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.jsonl", '{"id": "X:1", "name": "a", "types": []}\n{"id"', r"a\.jsonl, line 2"),
        ("a.jsonl", '{"id": "X:1", "name": 7}', r"a\.jsonl, line 1"),
        ("a.jsonl", b'{"id": "X:1", "name": "\xff"}', r"a\.jsonl, line 1.*UTF-8"),
        ("a.jsonl", "", "found no entries"),
        ("a.obo", "format-version: 1.2\n\n[Term]\nname\n", r"a\.obo, line \d.*OBO"),
        ("a.xml", "<DescriptorRecordSet>\n<DescriptorRecord>", r"a\.xml, line 2.*XML"),
        (
            "a.xml",
            "<DescriptorRecordSet>\n<DescriptorRecord/></DescriptorRecordSet>",
            r"a\.xml, line 2.*DescriptorUI",
        ),
        ("a.xml", "<other/>", "found no entries"),
        ("a.bin", "*NEWRECORD\nMH: x\n", r"a\.bin, line 2.*TAG = value"),
        ("a.bin", "*NEWRECORD\nMH = x\n", r"a\.bin, line 1.*without MH or UI"),
        ("MRCONSO.RRF", "C01|ENG|\n", r"MRSTY\.RRF.*no such file"),
        ("a.csv", "id,name", "no known format"),
        ("a.jsonl.gz", "not packed", r"a\.jsonl\.gz.*whole file"),
    ],
)
def test_what_is_malformed_is_named_by_file_and_line(
    tmp_path: Path, name: str, text: str | bytes, expected: str
) -> None:
    write(tmp_path / name, text)
    with pytest.raises(ResourceError, match=expected):
        kb.build([tmp_path / name], tmp_path / "kb")
    assert not (tmp_path / "kb").exists()


def test_a_row_of_umls_with_too_few_fields_is_named(tmp_path: Path) -> None:
    write(tmp_path / "MRSTY.RRF", MRSTY)
    write(tmp_path / "MRCONSO.RRF", MRCONSO + "C03|ENG|\n")
    with pytest.raises(ResourceError, match=r"MRCONSO\.RRF, line 6: found 2 fields; expected 18"):
        kb.build([tmp_path / "MRCONSO.RRF"], tmp_path / "kb")


def test_entities_of_xml_are_not_expanded(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("confidential")
    head = f'<!DOCTYPE x [<!ENTITY e SYSTEM "{secret.as_uri()}">]>'
    text = SUPPLEMENT.replace("oxypumilin", "oxypumilin &e;")
    write(tmp_path / "a.xml", head + text)
    kb.build([tmp_path / "a.xml"], tmp_path / "kb")
    assert b"confidential" not in (tmp_path / "kb" / "concepts.arrow").read_bytes()


def test_a_folder_of_something_else_is_not_replaced(files: list[Path], tmp_path: Path) -> None:
    write(tmp_path / "home" / "diary.txt", "dear")
    with pytest.raises(SettingsError, match="no knowledge base"):
        kb.build(files, tmp_path / "home")
    assert (tmp_path / "home" / "diary.txt").is_file()
    with pytest.raises(SettingsError, match="no knowledge base"):
        kb.build(files, tmp_path / "home" / "diary.txt")


def test_a_knowledge_base_that_is_cut_off_or_missing_is_refused(
    files: list[Path], tmp_path: Path
) -> None:
    kb.build(files[:1], tmp_path / "kb")
    (tmp_path / "kb" / "idf.npy").write_bytes(b"")
    with pytest.raises(ResourceError, match=r"idf\.npy.*build it again"):
        NameIndex.load(tmp_path / "kb")
    with pytest.raises(ResourceError, match="--kb"):
        settings.load(knowledge_base=tmp_path / "in").knowledge_base_path()


def test_every_type_has_one_of_our_labels() -> None:
    labels = load_data("kb_types")["labels"]
    assert set(labels.values()) <= {*ENTITY_LABELS, kb.LEFT_OUT}
    assert all(labels[label] == label for label in ENTITY_LABELS)


def test_another_knowledge_base_reruns_entities_and_what_follows(
    files: list[Path], tmp_path: Path
) -> None:
    kb.build(files[:1], tmp_path / "kb")
    before, after = (
        fingerprints.stage_fingerprints(fingerprints.resource_digests(settings.load(**given)))
        for given in ({}, {"knowledge_base": tmp_path / "kb"})
    )
    changed = [name for name in before if before[name] != after[name]]
    assert changed[0] == "entities"
    assert not {"documents", "sentences", "annotations"} & set(changed)


def test_a_run_links_to_a_knowledge_base_of_one_s_own(
    files: list[Path], tmp_path: Path, run, corpus: Path, outputs: Path
) -> None:
    kb.build(files, tmp_path / "kb", find=True)
    write(corpus / "five.txt", "Zincovarin may reduce velvet lung. Aspirin does not.")
    run(knowledge_base=tmp_path / "kb")
    found = {row["text"]: row["kb_id"] for row in rows(outputs, "entities")}
    assert (found["Zincovarin"], found["velvet lung"]) == ("X:1", "DOID:1")
    assert found["Aspirin"]
