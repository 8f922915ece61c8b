"""Names in zips that do not say their encoding."""

from pathlib import Path

import pytest

from iadd.intake.containers.guess_encoding import guess_encoding
from iadd.intake.containers.open import open_archive
from tests.iadd.intake.containers.archives import list_names, stored, write_raw_zip

SETS: dict[str, list[tuple[str, ...]]] = {
    "cp932": [
        ("表示肺炎", "表示結核", "正常"),
        ("ソ連", "十分"),
        ("能力低下", "予防"),
        ("陽性", "陰性"),
        ("胸部X線_正常", "胸部X線_肺炎"),
        ("山田太郎", "佐藤花子", "鈴木一郎"),
    ],
    "gbk": [
        ("肺炎", "正常"),
        ("新冠肺炎", "健康"),
        ("阳性", "阴性"),
        ("王小明", "李雷", "张伟"),
        ("胸片\uff08正位\uff09", "胸片\uff08侧位\uff09"),
    ],
    "big5": [("肺炎", "正常"), ("陽性", "陰性"), ("功能", "許可"), ("細菌性肺炎",)],
    "cp949": [("폐렴", "정상"), ("코로나", "정상"), ("김철수", "이영희")],
    "cp1252": [
        ("Lungenentzündung", "Unauffällig"),
        ("Pneumonie à Covid",),
        ("Neumonía",),
        ("Não",),
        ("Lésion", "Épanchement"),
        ("Condensação",),
        ("Größe",),
        ("È normale", "Sì"),
    ],
    "cp850": [("Lungenentzündung", "Unauffällig"), ("Pneumonie à Covid",), ("Año",)],
    "cp1250": [("Gruźlica", "Prawidłowe"), ("Zapalenie płuc",)],
    "cp1251": [("Пневмония", "Норма"), ("ПНЕВМОНИЯ", "НОРМА")],
    "cp866": [("Пневмония", "Норма"), ("обучение", "тест")],
}
CASES = [(encoding, words) for encoding, sets in SETS.items() for words in sets]


@pytest.mark.parametrize(("encoding", "words"), CASES)
def test_names_of_hospitals_are_guessed_surely(encoding: str, words: tuple[str, ...]) -> None:
    names = [word.encode(encoding) for word in words if not word.isascii()]
    guess = guess_encoding(names)
    assert [name.decode(guess.encoding) for name in names] == [w for w in words if not w.isascii()]
    assert guess.sure
    assert guess.candidates[0] == guess.encoding
    assert guess.samples[guess.encoding] == tuple(w for w in words if not w.isascii())


@pytest.mark.parametrize(
    "words",
    [("Tüdőgyulladás".encode("cp852"),), (b"\xe4",), (bytes(range(0x80, 0xC0)),)],
)
def test_what_could_be_several_is_not_sure(words: tuple[bytes, ...]) -> None:
    assert not guess_encoding(words).sure


def test_a_backslash_inside_a_character_is_no_separator(tmp_path: Path) -> None:
    for encoding, word in (("cp932", "表示肺炎"), ("big5", "成功肺炎許可"), ("gbk", "昞肺炎正常")):
        raw = word.encode(encoding)
        assert b"\\" in raw
        path = write_raw_zip(
            tmp_path / "a.zip", [stored(raw + b"\\1.png"), stored(raw + b"/2.png")]
        )
        assert list_names(path) == [f"{word}/1.png", f"{word}/2.png"]


def test_utf8_without_the_flag_needs_no_guess(tmp_path: Path) -> None:
    names = ["Pneumonie à Covid/0.png", "Sain/1.png", "正常/2.png"]
    path = write_raw_zip(tmp_path / "a.zip", [stored(name.encode()) for name in names])
    assert list_names(path) == names
    assert list_names(path, encoding="cp932") == names
    with open_archive(path) as archive:
        assert archive.names is None


def test_a_short_name_that_looks_like_utf8_is_read_as_the_others_are(tmp_path: Path) -> None:
    lookalike = b"\xc4\xa3".decode("gbk")
    assert lookalike.encode("gbk").decode() == "ģ"
    words = ["肺炎", "正常", lookalike]
    path = write_raw_zip(
        tmp_path / "a.zip", [stored(word.encode("gbk") + b"/1.png") for word in words]
    )
    assert list_names(path) == [f"{word}/1.png" for word in words]


def test_the_encoding_that_is_asked_for_wins_over_the_guess(tmp_path: Path) -> None:
    path = write_raw_zip(tmp_path / "a.zip", [stored("Müller/1".encode("cp1252"))])
    assert list_names(path) == ["Müller/1"]
    assert list_names(path, encoding="cp1251") == ["Mьller/1"]
    assert list_names(path, encoding="CP-1251".lower().replace("-", "")) == ["Mьller/1"]


def test_a_name_ends_at_its_first_nul(tmp_path: Path) -> None:
    path = write_raw_zip(tmp_path / "a.zip", [stored(b"a/1.png\0.exe"), stored(b"\0")])
    assert list_names(path) == ["a/1.png", ""]


def test_bytes_that_fit_no_encoding_are_replaced(tmp_path: Path) -> None:
    odd = [
        stored(b"\xff\xfe\x81/1"),
        *(stored(f"Lungenentzündung/{n}".encode("cp1252")) for n in "12"),
    ]
    names = list_names(write_raw_zip(tmp_path / "a.zip", odd))
    assert names[1:] == ["Lungenentzündung/1", "Lungenentzündung/2"]
    names[0].encode()


def test_a_flag_that_lies_about_all_names_is_not_believed(tmp_path: Path) -> None:
    words = ["表示肺炎", "表示結核", "正常"]
    path = write_raw_zip(
        tmp_path / "a.zip", [stored(f"{word}/1".encode("cp932"), flags=0x800) for word in words]
    )
    assert list_names(path) == [f"{word}/1" for word in words]


def test_half_a_character_is_no_separator_where_its_name_is_replaced(tmp_path: Path) -> None:
    names = ["表示/1".encode("cp932"), "ü/2".encode(), "é/3".encode()]
    path = write_raw_zip(tmp_path / "a.zip", [stored(name, flags=0x800) for name in names])
    odd, *others = list_names(path)
    assert others == ["ü/2", "é/3"]
    assert odd.count("/") == 1
    assert "\\" not in odd
