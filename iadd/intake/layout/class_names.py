"""Names of classes: which can be used, which are spellings of one, which name a patient."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping

from iadd.intake.layout.words import FINDING_WORDS, is_shard, split_of, tokens, word_set

LONGEST_CLASS_NAME = 80
MOST_CLASSES = 100

# Class names become folder names of the bundle, which people unpack on Windows too.
_FORBIDDEN_LETTERS = frozenset('<>:"/\\|?*')
_FORBIDDEN_NAMES = {"con", "prn", "aux", "nul"} | {
    f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10)
}


def class_name_problem(name: str) -> str | None:
    r"""Describe what is wrong with a class name, as the end of a sentence; None for a good one.

    A good name has 1 to 80 printable characters, none of ``<>:"/\|?*``, neither begins nor ends
    with a dot or a space, and is not a device name of Windows.
    """
    if not 1 <= len(name) <= LONGEST_CLASS_NAME:
        return f"must have 1 to {LONGEST_CLASS_NAME} characters"
    if not name.isprintable():
        return "holds characters that cannot be printed"
    if found := sorted(_FORBIDDEN_LETTERS.intersection(name)):
        return f"must not hold {' '.join(found)}"
    if name.startswith((".", " ")) or name.endswith((".", " ")):
        return "must not begin or end with a dot or a space"
    if name.split(".")[0].lower() in _FORBIDDEN_NAMES:
        return "is reserved by Windows"
    return None


_LATIN_MARKS = re.compile("[\u0300-\u036f]")
_UMLAUTS = re.compile(r"(?<=[aou])e(?!u)")
_BETWEEN_DIGITS = re.compile(r"(?<=\d)\s*[-.,–]\s*(?=\d)")


def normalise(name: str) -> str:
    """Return what all spellings of one class share.

    Case, accents, spaces, hyphens, underscores, ``ue`` for ``ü`` and a plural ``s`` do not count.
    A sign at the end does (``COVID+`` is not ``COVID-``), and so does a mark between digits.
    """
    plain = unicodedata.normalize("NFKD", name).casefold().strip()
    sign = plain[-1] if plain[-1:] in ("+", "-", "−") else ""
    plain = _LATIN_MARKS.sub("", plain)
    plain = _BETWEEN_DIGITS.sub("\0", plain)
    plain = "".join(letter for letter in plain if letter.isalnum() or letter == "\0")
    plain = _UMLAUTS.sub("", plain)
    if len(plain) > 4 and plain.endswith("s") and not plain.endswith(("ss", "is", "us", "as")):
        plain = plain[:-1]
    return (plain or name.casefold()) + sign


def suggested_merges(counts: Mapping[str, int]) -> dict[str, str]:
    """Return, by spelling, the one that most pictures of the class have and that can be used."""
    groups: dict[str, list[str]] = {}
    for name in counts:
        groups.setdefault(normalise(name), []).append(name)
    merges: dict[str, str] = {}
    for group in groups.values():
        best = min(
            group, key=lambda name: (class_name_problem(name) is not None, -counts[name], name)
        )
        merges |= {name: best for name in sorted(group) if name != best}
    return merges


_PERSON_WORDS = (
    r"pat|pats|patient|patients|patientin|patienten|pt|pid|patid|patientid|paciente|pazient[ei]|"
    r"pacient|pacjent|subject|subj|sub|sujet|sujeto|soggetto|person|participant|proband|probandin|"
    r"case|fall|cas|caso|mrn|hn|пациент|患者|病人|症例|환자"
)
_PERSON_AND_NUMBER = re.compile(rf"(?:{_PERSON_WORDS})(?:[\W_]*(?:id|no|nr))?[\W_]*\d+", re.I)
_LETTER_AND_NUMBER = re.compile(r"[ps]\W?_?\d{2,}(?=$|[\W_])", re.I)
_LONG_NUMBER = re.compile(r"\d{6,}")
_SHORT_PREFIX = re.compile(r"[a-z]{0,4}[-_ ]?\d{5,}", re.I)
_UID = re.compile(r"\d+(?:\.\d+){4,}")
_GROUPED_NUMBER = re.compile(r"\d{2,4}[- ./]\d{2,4}[- ./]\d{2,5}")
_DATE = re.compile(
    r"(?<!\d)(?:(?:19|20)\d\d[-_. ](?:0?[1-9]|1[0-2])[-_. ](?:[0-2]?\d|3[01])"
    r"|(?:[0-2]?\d|3[01])[-_. ](?:0?[1-9]|1[0-2])[-_. ](?:19|20)\d\d)(?!\d)"
)
_SURNAME_AND_NAME = re.compile(r"[^\W\d_]+(?:[ '’-][^\W\d_]+)?\s*,\s*[^\W\d_]+\.?")
_NAMES_AND_YEAR = re.compile(r"[^\W\d_]{2,}[ _,-]+[^\W\d_]{2,}[ _,-]+(?:19|20)\d\d")
_TITLE = re.compile(
    r"(?:mr|mrs|ms|herr|frau|hr|fr|dr|sr|sra|mme|señora?)\.?[ _]+[^\W\d_]{2,}", re.I
)
_PLAIN_WORDS = word_set(
    "chest xray xrays cxr data dataset set entry image images radiography radiographs database "
    "release version challenge kaggle lung small final study covidx and of the with without"
)


def looks_like_patient(name: str) -> bool:
    """Return whether a folder name, a class name or a value looks like a person or their number.

    It knows DICOM names (``MUELLER^HANS``), ``Mueller, Hans``, names with a year of birth, dates,
    ``PAT0001``, ``sub-01``, ``P0012`` and long numbers. It errs towards yes.
    """
    name = name.strip()
    if "^" in name:
        return True
    if is_shard(name) or split_of(name) is not None:
        return False
    if (
        _PERSON_AND_NUMBER.match(name)
        or _LETTER_AND_NUMBER.match(name)
        or _LONG_NUMBER.search(name)
        or _SHORT_PREFIX.fullmatch(name)
        or _UID.fullmatch(name)
        or _GROUPED_NUMBER.fullmatch(name)
        or _DATE.search(name)
        or _TITLE.match(name)
    ):
        return True
    if _SURNAME_AND_NAME.fullmatch(name) or _NAMES_AND_YEAR.fullmatch(name):
        return not (FINDING_WORDS | _PLAIN_WORDS).intersection(tokens(name))
    return False


_NAMES = re.compile(r"(?:[^\W\d_]+(?:[ _,'’-]+|$)){2,3}")


def could_be_person(name: str) -> bool:
    """Return whether a name is two or three capitalised words that speak of no finding.

    ``Anna Schmidt`` and ``DOE_JANE`` are; so may be a class, so this is reason for a question.
    """
    if _NAMES.fullmatch(name.strip()) is None:
        return False
    words = [word for word in re.split(r"[\W_]+", name) if word]
    written = all(word.istitle() or (word.isupper() and len(word) > 1) for word in words)
    return written and not (FINDING_WORDS | _PLAIN_WORDS).intersection(tokens(name))


def without_people(names: Iterable[str]) -> tuple[str, ...]:
    """Return those of `names` that no person could bear."""
    return tuple(n for n in names if not (looks_like_patient(n) or could_be_person(n)))


_STUDY = re.compile(
    r"s\d{6,}|(?:study|studie|series|serie|ses|session|visit|visite|exam|scan|acc|accession)"
    r"[\W_]*\d+|\d{8}|" + _DATE.pattern,
    re.I,
)


def looks_like_study(name: str) -> bool:
    """Return whether a folder name looks like one examination of a patient (``s50414267``)."""
    return _STUDY.fullmatch(name.strip()) is not None


_IN_NAME = (
    re.compile(rf"((?:{_PERSON_WORDS})(?:[\W_]*(?:id|no|nr))?[\W_]*\d+)(?!\d)", re.I),
    re.compile(r"(p\d{2,})(?=$|[\W_])", re.I),
    re.compile(r"(\d{6,})[-_]\d{1,4}(?=$|[\W_])"),
    re.compile(r"([^\W_]+\^[^\W_]+(?:[\W_](?:19|20)\d\d(?:\d{4})?)?)"),
    re.compile(r"(s?[a-z]{0,3}\d{5,})(?=[-_ ])", re.I),
)


def patient_of_name(stem: str) -> str | None:
    """Return the patient that a file name begins with, without its ending; None where it has none.

    ``P0012_3`` is of ``p0012``, ``person12_virus_34`` of ``person12``, ``00000013_002`` of
    ``00000013``.
    """
    for pattern in _IN_NAME:
        if match := pattern.match(stem):
            return match.group(1).casefold()
    # A year of birth parts a person's names from the rest of the file's name.
    if (match := _NAMES_AND_YEAR.match(stem)) and looks_like_patient(match.group()):
        return match.group().casefold()
    return None


def patient_shaped(names: Iterable[str]) -> list[str]:
    """Return those of `names` that look like patients."""
    return [name for name in names if looks_like_patient(name)]
