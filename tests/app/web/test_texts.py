"""Every text that a page asks for is there, and nothing is there that no page asks for."""

import re
import threading
from pathlib import Path

import pytest
from fluent.syntax import FluentParser
from fluent.syntax.ast import Junk, Message

from app.web import texts
from app.web.texts import NoSuchTextError, Texts, languages, preferred, texts_in

WEB = Path(texts.__file__).parents[1]
NAME = r"[a-z][a-z0-9-]*"


def sources() -> str:
    files = [*WEB.rglob("*.html"), *WEB.rglob("*.py")]
    return "\n".join(path.read_text() for path in files)


def catalogue(language: str = "en") -> dict[str, Message]:
    messages = {}
    for path in sorted((texts.FOLDER / language).glob("*.ftl")):
        for entry in FluentParser().parse(path.read_text()).body:
            assert not isinstance(entry, Junk), f"{path.name}: {entry.content}"
            if isinstance(entry, Message):
                assert entry.id.name not in messages, f"{path.name}: {entry.id.name} is there twice"
                messages[entry.id.name] = entry
    return messages


def test_every_text_of_a_page_is_in_the_catalogue():
    asked = set(re.findall(rf'\bt\("({NAME})"[,)]', sources()))
    assert len(asked) > 30
    assert asked - set(catalogue()) == set()


def test_no_text_is_left_over():
    source = sources()
    whole = set(re.findall(rf'"({NAME})"', source))
    begun = tuple(re.findall(rf'"({NAME}-)" ~', source) + re.findall(rf'f"({NAME}-)\{{', source))
    unused = {
        name for name in catalogue() if name not in whole and not (begun and name.startswith(begun))
    }
    assert unused == set()


@pytest.mark.parametrize("path", sorted(WEB.rglob("*.html")), ids=lambda path: path.stem)
def test_a_template_holds_no_text_of_its_own(path):
    source = path.read_text()
    without = re.sub(r"{#.*?#}|{%.*?%}|{{.*?}}", " ", source, flags=re.DOTALL)
    without = re.sub(r"<!--.*?-->|<[^>]*>", " ", without, flags=re.DOTALL)
    words = re.findall(r"(?<![&\w])[A-Za-z]{2,}(?!\w*;)", without)
    assert words == []


def test_the_first_requests_may_come_at_once():
    together = threading.Barrier(8)
    told: list[str] = []

    def ask(fresh: Texts) -> None:
        together.wait()
        told.append(fresh("brand"))

    for _ in range(5):
        fresh = Texts("en")
        threads = [threading.Thread(target=ask, args=(fresh,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert told == ["IADD Exchange"] * 40


def test_what_is_not_there_is_a_mistake_that_is_seen():
    with pytest.raises(NoSuchTextError):
        texts_in("en")("no-such-text")


def test_a_language_that_nobody_translated_is_told_in_the_original():
    assert preferred(["xx", "yy"]) == "en"
    assert languages() == ["en"]
