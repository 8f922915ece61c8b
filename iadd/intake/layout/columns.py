"""Recognises what a table's columns hold: by their headings first, by their values second."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from functools import lru_cache

from iadd.intake.layout.words import plain


def _listed(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# The first name of each role is the contract's own; a row of these alone needs no question.
COLUMN_WORDS: dict[str, tuple[str, ...]] = {
    "file": _listed(
        "file path imageindex imageid filename imagename imagefile "
        "imagefilename imagepath filepath "
        "image img imgpath imgname dicomid dicom xrayimagename pngfilename jpgfilename filenames "
        "files images dateiname datei pfad dateipfad bild bilddatei bildname bildpfad fichier "
        "nomfichier nomdufichier chemin archivo nombrearchivo nombredearchivo imagen ruta "
        "rutaarchivo fichero nomefile percorso immagine arquivo nomearquivo caminho imagem bestand "
        "bestandsnaam pad afbeelding plik nazwapliku obraz sciezka soubor fil "
        "filnamn filnavn dosya "
        "файл имяфайла путь изображение 文件 文件名 图像 路径 ファイル ファイル名 画像 파일 파일명 "
        "sopinstanceuid uid"
    ),
    "label": _listed(
        "label findinglabels labels class classes finding findings classname classlabel "
        "labelname findinglabel target category categories diagnosis diagnoses "
        "diagnostic groundtruth gt "
        "annotation result befund befunde diagnose diagnosen klasse klassen kategorie ergebnis "
        "etiquette classe diagnostique resultat etiqueta etiquetas clase diagnostico hallazgo "
        "hallazgos categoria resultado etichetta etichette diagnosi referto rotulo achado achados "
        "klas bevinding etykieta klasa rozpoznanie diagnoza trida klass etiket sinif tani метка "
        "класс диагноз 标签 类别 诊断 ラベル クラス 診断 所見 라벨 진단"
    ),
    "patient": _listed(
        "patient patientid subjectid subject patid patientnumber patientno patientnr patientname "
        "pid mrn participant participantid person personid caseid case patientenid "
        "patientennummer patientin pseudonym proband probandenid idpatient numeropatient "
        "nompatient paciente idpaciente pacienteid sujeto paziente idpaziente soggetto pacjent "
        "idpacjenta pacient hasta hastaid пациент 患者 患者id 病人 病人id 症例 환자 id患者"
    ),
    "split": _listed(
        "split subset set partition fold datasettype splits phase usage traintest trainvaltest "
        "traintestsplit aufteilung teilmenge datensatz repartition decoupage conjunto particion "
        "division divisione suddivisione particao zbior podzial разбиение выборка 划分 数据集 "
        "分割 データ分割"
    ),
    "view": _listed(
        "view viewposition projection frontallateral viewcode position viewpos projektion "
        "ansicht aufnahmerichtung strahlengang incidence vue proyeccion vista posicion "
        "proiezione projecao incidencia projectie projekcja проекция 体位 撮影方向 투영"
    ),
    "site": _listed(
        "site hospital institution institutionname centre center clinic source datasource "
        "collection klinik klinikum krankenhaus standort zentrum einrichtung hopital etablissement "
        "sitio clinica centro ospedale struttura ziekenhuis szpital больница 医院 施設 病院 병원"
    ),
}
_ROLE_OF = {word: role for role, words in reversed(COLUMN_WORDS.items()) for word in words}
CONTRACT_COLUMNS = tuple(COLUMN_WORDS)
_CONTRACT_ALSO = {
    "file": ("file", "path", "imageindex", "imageid", "filename", "dateiname"),
    "label": ("label", "findinglabels", "labels", "class", "finding", "befund"),
    "patient": ("patient", "patientid", "subjectid"),
    "split": ("split",),
    "view": ("view", "viewposition", "projection", "frontallateral"),
    "site": ("site",),
}


_STUDY_KEYS = frozenset(
    ("studyid", "study", "accession", "accessionnumber", "examid", "exam", "seriesid")
)


def names_study(heading: str) -> bool:
    """Return whether a column numbers examinations."""
    return heading_key(heading) in _STUDY_KEYS


def heading_key(heading: str) -> str:
    """Return a heading without case, accents, spaces and marks: ``Patient ID`` is ``patientid``."""
    return "".join(letter for letter in plain(heading) if letter.isalnum())


def heading_role(heading: str) -> str | None:
    """Return the role that a heading names, in any known language; None for no known one."""
    return _ROLE_OF.get(heading_key(heading))


def contract_role(heading: str, *, also: bool) -> str | None:
    """Return the role of a heading of the contract; `also` allows its second column of names."""
    key = heading_key(heading)
    for role, words in _CONTRACT_ALSO.items():
        if key == role or (also and key in words):
            return role
    return None


def headings_by_role(headings: Sequence[str]) -> dict[str, list[str]]:
    """Return, by role, the headings that name it, the most usual word first."""
    found: dict[str, list[str]] = {}
    for heading in headings:
        if role := heading_role(heading):
            found.setdefault(role, []).append(heading)
    for role, names in found.items():
        names.sort(key=lambda name: COLUMN_WORDS[role].index(heading_key(name)))
    return found


_POSITIVE = frozenset(("1", "1.0", "true", "yes", "y", "ja", "oui", "si", "sí", "pos", "positive"))
_NEGATIVE = frozenset(("0", "0.0", "false", "no", "n", "nein", "non", "neg", "negative"))
_UNCERTAIN = frozenset(("-1", "-1.0", "−1", "u", "?", "uncertain"))
_BLANK = frozenset(("", "nan", "na", "n/a", "none", "null", "-", "."))
# Numbers of other meaning that may happen to be 0 and 1 alone.
_NEVER_WIDE = re.compile(
    r"age|alter|edad|sex|gender|geschlecht|sexo|follow.?up|number|count|width|height|index|row|"
    r"study|series|date|time|year|unnamed|survival|icu|intubat|died|column \d+",
    re.I,
)


def is_blank(cell: str) -> bool:
    """Return whether a cell says nothing: it is empty, ``nan``, ``N/A`` or the like."""
    return cell.casefold() in _BLANK


@lru_cache(maxsize=1024)
def wide_value(cell: str) -> int | None:
    """Return 1, 0 or −1 for a cell of a wide table, None for a blank or unknown one."""
    word = cell.casefold()
    if word in _POSITIVE:
        return 1
    if word in _NEGATIVE:
        return 0
    return -1 if word in _UNCERTAIN else None


def is_wide(heading: str, values: Sequence[str]) -> bool:
    """Return whether a column holds 0, 1, −1 and blanks alone, and some 1 or −1."""
    if heading_role(heading) is not None or _NEVER_WIDE.search(heading):
        return False
    distinct = set(values)
    if len(distinct) > 8:
        return False
    numbers = {wide_value(cell) for cell in distinct if not is_blank(cell)}
    return None not in numbers and not numbers.isdisjoint((1, -1))


def cell_labels(cell: str) -> tuple[str, ...]:
    """Return the labels of one cell: ``A|B``, ``['A', 'B']`` (PadChest), or one; () for a blank."""
    if is_blank(cell):
        return ()
    if cell.startswith("[") and cell.endswith("]"):
        try:
            listed = ast.literal_eval(cell)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            listed = [part.strip(" '\"") for part in cell[1:-1].split(",")]
        parts = [str(part).strip() for part in listed] if isinstance(listed, list) else [cell]
    else:
        parts = [part.strip() for part in cell.split("|")]
    return tuple(dict.fromkeys(part for part in parts if part and not is_blank(part)))
