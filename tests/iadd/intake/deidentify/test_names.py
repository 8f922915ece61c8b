import unicodedata

import hypothesis
import hypothesis.strategies as st
import pytest

from iadd.intake.deidentify.names import (
    folder_hashes,
    hash_patient,
    hash_word,
    mask_path,
    path_hash,
)

KEY = b"k" * 32
KEPT = {"COVID", "Normal", "正常", "Lungenentzündung (viral)", "train"}


def masked(path: str, key: bytes = KEY) -> str:
    return mask_path(path.split("/"), KEPT, key)


@pytest.mark.parametrize(
    "path",
    [
        "COVID/COVID-1.jpg",
        "train/正常/img_0001.png",
        "Lungenentzündung (viral)/IM-12.jpeg",
        "test/NORMAL/person1_bacteria_1.jpeg",
        "patient00001/study1/view1_frontal.jpg",
        "PA/ap/Thorax 3.tiff",
        "1b4e28ba-2fa1-11d2-883f-0016d3cca427.png",
        "02aa804e-bde0afdd-112c0b34-7bc16630-4e384014.jpg",
        "d41d8cd98f00b204e9800998ecf8427e.png",
    ],
)
def test_technical_names_and_class_names_stay(path: str) -> None:
    assert masked(path) == path


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("MUELLER^HANS_1950/img.png", ["MUELLER", "HANS"]),
        ("train/COVID/anna-maria o'neill.png", ["anna", "maria", "neill"]),
        ("Müller.png", ["Müller", "ller"]),
        ("Mu\u0308ller.png", ["Mu\u0308ller", "ller", "Müller"]),
        ("山田太郎/正常/a.png", ["山田", "太郎"]),
        ("रविकुमार.png", ["रवि", "कुमार"]),
        ("ИвановИван.dcm", ["Иванов"]),
        ("M_U_E_L_L_E_R.png", ["M_U", "E_L"]),
        ("1950mueller12.png", ["mueller"]),
        ("Ada Bea Abe.png", ["Ada", "Bea", "Abe"]),
        ("train2/Li Wu.png", ["Li", "Wu"]),
        ("mueller.hans", ["mueller", "hans"]),
    ],
)
def test_words_that_may_be_names_are_hashed(path: str, words: list[str]) -> None:
    result = masked(path)
    for word in words:
        assert word.casefold() not in result.casefold()
    assert "~" in result


@pytest.mark.parametrize(
    "number",
    ["47110815", "4711-0815", "12.03.1954", "1954-03-12", "12_03_1954", "12 03 54", "1.2.840.11.7"],
)
def test_long_numbers_and_dates_are_hashed(number: str) -> None:
    result = masked(f"img_{number}.png")
    assert number not in result
    assert result.startswith("img_~")
    assert result.endswith(".png")
    assert masked("img_12345.png") == "img_12345.png"


def test_who_has_the_key_finds_a_name_by_its_hash() -> None:
    result = masked("MUELLER^HANS_1950/img_01.png")
    assert result == f"{hash_word('mueller', KEY)}^{hash_word('Hans', KEY)}_1950/img_01.png"
    assert masked("MUELLER^HANS_1950/img_01.png", b"other") != result


@hypothesis.given(st.lists(st.text(min_size=1, max_size=80), min_size=1, max_size=9))
def test_any_name_gives_one_printable_line_of_bounded_length(parts: list[str]) -> None:
    result = mask_path(parts, KEPT, KEY)
    assert result == mask_path(parts, KEPT, KEY)
    assert result.isprintable()
    assert len(result) <= 200
    for letter in result:
        assert letter.isascii() or letter in "…\N{REPLACEMENT CHARACTER}" or parts == [letter]


def test_a_path_and_its_folders_are_found_by_their_hashes() -> None:
    parts = ("MUELLER^HANS", "1950", "a.png")
    assert folder_hashes(parts, KEY) == (path_hash(parts[:1], KEY), path_hash(parts[:2], KEY))
    assert len({path_hash(parts, KEY), *folder_hashes(parts, KEY)}) == 3
    assert path_hash(parts, b"other") != path_hash(parts, KEY)
    decomposed = tuple(unicodedata.normalize("NFD", part) for part in ("Müller", "a.png"))
    assert path_hash(decomposed, KEY) == path_hash(("Müller", "a.png"), KEY)


def test_a_patient_is_a_keyed_hash_whatever_fills_the_value_up() -> None:
    assert len(hash_patient("4711-0815", KEY)) == 16
    assert hash_patient(" 4711-0815\0", KEY) == hash_patient("4711-0815", KEY)
    assert hash_patient("4711-0815", KEY) != hash_patient("4711-0816", KEY)
    assert hash_patient("4711-0815", KEY) != hash_patient("4711-0815", b"other")
