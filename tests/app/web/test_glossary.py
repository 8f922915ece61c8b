"""The words of the field."""

import re

import pytest

from app.core.security import Role
from app.web.pages.glossary import TERMS
from app.web.texts import texts_in

ANCHORS = re.compile(r'<dt id="([a-z0-9-]+)"')


def test_is_for_everybody(anybody, reader):
    assert "Dataset distillation" in anybody.open("/glossary")
    assert "Sign out" not in anybody.open("/glossary")
    assert "Sign out" in reader(Role.AUDITOR).open("/glossary")


def test_every_word_has_an_anchor_and_they_are_in_order(anybody):
    page = anybody.open("/glossary")
    assert sorted(ANCHORS.findall(page)) == sorted(TERMS)
    names = re.findall(r"<dt [^>]*>([^<]*)<", page)
    assert names == sorted(names, key=str.casefold)


@pytest.mark.parametrize("anchor", sorted(TERMS))
def test_a_word_is_told_in_two_sentences(anchor):
    meaning = texts_in("en")(f"means-{anchor}")
    sentences = re.findall(r"[^.:]+[.](?:\s|$)", meaning)
    assert len(sentences) == 2, sentences


def test_is_narrowed_down_by_words_of_name_or_meaning(anybody):
    page = anybody.open("/glossary?q=Membership attack")
    assert ANCHORS.findall(page) == ["membership-inference"]
    assert "One term" in page
    assert "No matching term" in anybody.open("/glossary?q=zebra")


def test_what_was_looked_for_is_shown_as_it_is(anybody):
    page = anybody.open('/glossary?q="><script>')
    assert "<script>" not in page.split("<body")[1]


def test_sources_are_named_and_reached_safely(anybody):
    page = anybody.open("/glossary")
    links = re.findall(r'<dd class="source">[^<]*<a href="([^"]*)"', page)
    assert len(links) == sum(source is not None for source in TERMS.values())
    assert all(link.startswith("https://") for link in links)
