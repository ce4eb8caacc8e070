"""What documents declare of themselves is read, wherever they say it, and cleaned."""

from __future__ import annotations

import sys

import pytest

from hedgerow.readers import Options, read
from hedgerow.readers.metadata import clean, interest_of, interest_rules, iso_date, override

if sys.version_info >= (3, 11):
    from re import _parser as parser
else:
    import sre_parse as parser

LD = '<script type="application/ld+json">%s</script>'


def page(head: str, *, body: str = "", attributes: str = ""):
    html = (
        f"<html {attributes}><head>{head}</head><body><p>Zinc may shorten colds in adults.</p>"
        f"{body}</body></html>"
    )
    return read("x.html", html.encode(), Options())


@pytest.mark.parametrize(
    ("head", "field", "value"),
    [
        ('<meta name="citation_title" content="Zinc">', "title", "Zinc"),
        ('<meta property="og:title" content="Zinc &amp; colds">', "title", "Zinc & colds"),
        ('<meta name="DC.Title" content="Zinc">', "title", "Zinc"),
        ('<meta name="dcterms.title" content="Zinc">', "title", "Zinc"),
        ("<title> Zinc\n and colds </title>", "title", "Zinc and colds"),
        ('<meta property="og:site_name" content="The Post">', "publisher", "The Post"),
        ('<meta name="citation_journal_title" content="Cold Res">', "publisher", "Cold Res"),
        ('<meta name="DC.publisher" content="A Press">', "publisher", "A Press"),
        (
            (
                '<meta property="article:publisher" content="https://social.example/p">'
                '<meta name="application-name" content="The Post">'
            ),
            "publisher",
            "The Post",
        ),
        (
            (
                '<meta name="citation_author" content="Moe, Ada">'
                '<meta name="citation_author" content="Berg, Bo">'
            ),
            "author",
            "Moe, Ada; Berg, Bo",
        ),
        ('<meta name="author" content="Ada Moe">', "author", "Ada Moe"),
        (
            '<meta name="DC.creator" content="Ada Moe"><meta name="DC.creator" content="Bo Berg">',
            "author",
            "Ada Moe, Bo Berg",
        ),
        (
            (
                '<meta property="article:author" content="https://social.example/ada">'
                '<meta name="parsely-author" content="Ada Moe">'
            ),
            "author",
            "Ada Moe",
        ),
        ('<meta name="citation_publication_date" content="2024/5/3">', "published", "2024-05-03"),
        ('<meta name="DC.date.issued" content="2024-05">', "published", "2024-05"),
        ('<meta name="dcterms.created" content="3 May 2024">', "published", "2024-05-03"),
        (
            '<meta property="article:published_time" content="2024-05-03T08:00:00+02:00">',
            "published",
            "2024-05-03",
        ),
        ('<meta itemprop="datePublished" content="May 3, 2024">', "published", "2024-05-03"),
        (
            '<link rel="canonical" href="https://example.org/zinc">',
            "url",
            "https://example.org/zinc",
        ),
        (
            '<meta property="og:url" content="https://example.org/z">',
            "url",
            "https://example.org/z",
        ),
        ('<link rel="license" href="https://l.example/by">', "licence", "https://l.example/by"),
        ('<meta name="DC.rights" content="CC BY 4.0">', "licence", "CC BY 4.0"),
        ('<meta name="dcterms.license" content="CC0">', "licence", "CC0"),
        ('<meta http-equiv="Content-Language" content="en-GB">', "language", "en-GB"),
        ('<meta property="og:locale" content="en_US">', "language", "en-US"),
        ('<meta name="DC.language" content="en">', "language", "en"),
        (LD % '{"@type": "NewsArticle", "headline": "Zinc"}', "title", "Zinc"),
        (
            LD % '{"@type": "Article", "publisher": {"@type": "Organization", "name": "Post"}}',
            "publisher",
            "Post",
        ),
        (
            LD % '{"@type": "Product", "offers": [{"seller": {"name": "A Shop"}}]}',
            "publisher",
            "A Shop",
        ),
        (
            LD % '[{"@type": "BlogPosting", "author": [{"name": "Ada"}, {"name": "Bo"}]}]',
            "author",
            "Ada, Bo",
        ),
        (
            LD % '{"@graph": [{"@type": "Article", "author": {"@id": "#ada"}}, {"@type": "Person", '
            '"@id": "#ada", "name": "Ada Moe"}]}',
            "author",
            "Ada Moe",
        ),
        (
            LD % '{"@type": "WebPage", "datePublished": "2024-05-03", "inLanguage": "en-AU"}',
            "language",
            "en-AU",
        ),
        (LD % '{"@type": "Article", "license": "CC BY"}', "licence", "CC BY"),
        ('<meta name="author" content=" ">', "author", None),
        (LD % '{"@type": "BreadcrumbList", "name": "no"}', "title", None),
        (LD % '{"@type": "Article", "author": {"@id": 7}, "headline": ["a", {}]}', "title", "a"),
        (LD % "{broken", "title", None),
    ],
)
def test_a_page_s_head_says_what_it_is(head, field, value):
    assert getattr(page(head), field) == value


@pytest.mark.parametrize(
    ("body", "field", "value"),
    [
        ('<a rel="author" href="/ada">Ada Moe</a>', "author", "Ada Moe"),
        (
            '<a rel="license" href="https://l.example/by">CC BY</a>',
            "licence",
            "https://l.example/by",
        ),
        ('<time class="entry-date published" datetime="2024-05-03">May</time>', "published", None),
        ('<time itemprop="datePublished">3 May 2024</time>', "published", "2024-05-03"),
        ('<time datetime="2024-05-03">last week</time>', "published", ""),
    ],
)
def test_marks_in_the_body_say_what_the_head_does_not(body, field, value):
    expected = {"": None, None: "2024-05-03"}.get(value, value)
    assert getattr(page("", body=body), field) == expected


def test_a_page_s_own_language_goes_before_other_declarations():
    found = page('<meta property="og:locale" content="de_DE">', attributes='lang="en-GB"')
    assert found.language == "en-GB"


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ("2024-05-03", "2024-05-03"),
        ("2024-05-03T10:00:00Z", "2024-05-03"),
        ("2024-05-03 10:00:00+01:00", "2024-05-03"),
        ("2024/5/3", "2024-05-03"),
        ("20240503", "2024-05-03"),
        ("2024 May 3", "2024-05-03"),
        ("2024 May", "2024-05"),
        ("2024-05", "2024-05"),
        ("2024", "2024"),
        ("3 May 2024", "2024-05-03"),
        ("3rd of May, 2024", "2024-05-03"),
        ("3-May-2024", "2024-05-03"),
        ("May 3, 2024", "2024-05-03"),
        ("Sept. 3, 2024", "2024-09-03"),
        ("Friday, May 3, 2024", "2024-05-03"),
        ("Fri, 03 May 2024 10:00:00 GMT", "2024-05-03"),
        ("May 3, 2024, 10:00 am", "2024-05-03"),
        ("May 2024", "2024-05"),
        ("25/12/2024", "2024-12-25"),
        ("12/25/2024", "2024-12-25"),
        ("25.12.2024", "2024-12-25"),
        ("03/04/2025", "03/04/2025"),
        ("2024-02-31", "2024-02-31"),
        ("2024-13-01", "2024-13-01"),
        ("31/31/2024", "31/31/2024"),
        ("Spring 2024", "Spring 2024"),
        ("0000-01-01", "0000-01-01"),
        ("yesterday", "yesterday"),
        ("", ""),
    ],
)
def test_dates_become_iso_where_they_can_be_read_only_one_way(stated, expected):
    assert iso_date(stated) == expected
    assert iso_date(iso_date(stated)) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("  Ada\n Moe ", "Ada Moe"),
        (["Ada Moe", None, "Bo Berg"], "Ada Moe, Bo Berg"),
        (["Moe, A.", "Berg, B."], "Moe, A.; Berg, B."),
        ([], None),
        ({"name": "x"}, None),
        (True, None),
        (2024, "2024"),
    ],
)
def test_a_declared_value_is_one_line_of_text(value, expected):
    assert clean(value) == expected


def test_front_matter_and_json_lines_take_common_spellings():
    source = (
        "---\ntitle: Zinc\nauthors: [Ada Moe, Bo Berg]\ndate: May 3, 2024\nlang: en-GB\n"
        "license: CC0\nsite: The Post\n---\n\nZinc may help.\n"
    )
    found = read("x.md", source.encode(), Options())
    assert (found.author, found.published, found.language) == (
        "Ada Moe, Bo Berg",
        "2024-05-03",
        "en-GB",
    )
    assert (found.licence, found.publisher) == ("CC0", "The Post")


def test_a_user_s_entry_goes_before_all_and_is_cleaned_too():
    found = override(page("<title>Zinc</title>"), {"published": "3 May 2024", "publisher": "P"})
    assert (found.title, found.published, found.publisher) == ("Zinc", "2024-05-03", "P")


def test_a_very_long_script_of_json_ld_says_nothing_and_takes_no_time():
    record = '{"@type": "Article", "publisher": "The Post"}'
    assert page(LD % f"[{'[],' * 10_000}{record}]").publisher == "The Post"
    assert page(LD % f"[{'[],' * 400_000}{record}]").publisher is None


# -- interest: the texts that a rule needs ---------------------------------------------------------


def least_texts(items) -> set[str]:
    """Return all that a parsed pattern finds, in lower case, with "\0" for what may be anything."""
    found = {""}
    for operation, value in items:
        found = {before + text for before in found for text in _least_texts(str(operation), value)}
    return found


def _least_texts(operation: str, value) -> set[str]:
    if operation == "LITERAL":
        return {chr(value).lower()}
    if operation in ("AT", "ASSERT", "ASSERT_NOT"):
        return {""}
    if operation == "SUBPATTERN":
        return least_texts(value[-1])
    if operation == "BRANCH":
        return set().union(*map(least_texts, value[1]))
    if operation == "IN" and all(str(kind) == "LITERAL" for kind, _ in value):
        return {chr(char).lower() for _, char in value}
    if operation == "MAX_REPEAT" and value[:2] == (0, 1):
        return {"", *least_texts(value[2])}
    if operation == "MAX_REPEAT" and value[0] == 0:
        return {"", "\0"}
    return {"\0"}


@pytest.mark.parametrize("rule", [r for r in interest_rules() if r.needs], ids=lambda rule: rule.id)
def test_all_that_a_rule_finds_holds_a_text_that_it_needs(rule):
    found = least_texts(parser.parse(rule.pattern.pattern))
    assert [text for text in found if not any(need in text for need in rule.needs)] == []
    assert [need for need in rule.needs if not any(need in text for text in found)] == []


def test_a_rule_holds_in_any_case_and_only_in_its_own_field():
    loud = page("", body="<p>ADD TO BA\u017fKET, or \u0131n stock</p>")
    assert interest_of(loud) == ("vendor", "rule:order-button")
    assert interest_of(page("<title>Add to basket</title>"))[0] == "unknown"
