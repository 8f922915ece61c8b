"""Words that folders, tables and columns are named with, in the languages hospitals use.

Each question is answered for one name alone; `readings` weighs the names of a level together.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from iadd.intake.splits import SPLITS


def word_set(text: str) -> frozenset[str]:
    """Return the words of a text, apart by spaces."""
    return frozenset(text.split())


_TRAIN = (
    "train training trainings trn learn learning lern lernen lernmenge trainieren entrenamiento "
    "entreno apprentissage entrainement addestramento allenamento treino treinamento trainen "
    "oefening trening treningowy treningowe uczenie uczacy egitim utbildning traning koulutus "
    "тренировка тренировочный обучение обучающая обучающий 訓練 训练 学習 学习 학습 훈련 trenovaci"
)
_VALIDATION = (
    "val vali valid validation validations validate validating validierung validierungs validacion "
    "validazione validacao validatie validering walidacja walidacyjny walidacyjne dogrulama "
    "validace validacni валидация валидационный проверочная 验证 驗證 検証 검증"
)
_TEST = (
    "test tests testing tst teste testes prueba pruebas testen testowy testowe testowa testovaci "
    "тест тестовая тестовый 测试 測試 テスト 테스트"
)
_PERHAPS_TRAIN = "tr fit fitting"
_PERHAPS_VALIDATION = "dev devel development tune tuning calibration va vl entwicklung desarrollo"
_PERHAPS_TEST = (
    "holdout heldout eval evaluation evaluacion evaluierung evaluering "
    "auswertung te ts prova essai "
    "ensayo pruefung prufung external extern unseen blind benchmark inference 評価 评估 평가 시험"
)
# What people add to such a word without changing it: Train_set, test-images, val_data.
_AROUND_SPLITS = word_set(
    "set sets data dataset datasets datensatz daten menge datos datas image images img imgs bilder "
    "imagenes split splits subset files folder png jpg jpeg dcm cxr xray xrays chest final new "
    "the for ing"
)
_ENDINGS = re.compile(r"(?:datensatz|dataset|daten|data|sets?|satz|menge|用|集|データ|组|组别)$")

IMAGE_WORDS = word_set(
    "image images img imgs png pngs jpg jpgs jpeg jpegs dcm dcms dicom dicoms tif tiff bild bilder "
    "imagen imagenes immagine immagini imagem imagens picture pictures pic pics photo photos "
    "radiograph radiographs radiografias scan scans aufnahme aufnahmen rontgenbilder "
    "roentgenbilder afbeeldingen obrazy obraz cxr cxrs xray xrays raw files original originals "
    "画像 图像 图片 影像 圖像 이미지 изображения снимки"
)
_MASK_TOKENS = word_set(
    "mask masks masque masques maske masken mascara mascaras maschera maschere masker maski "
    "lungmask lungmasks annotation annotations contour contours heatmap heatmaps overlay overlays "
    "groundtruth bbox bboxes マスク 掩膜 掩码 маски"
)
_SEGMENTATION_TOKENS = word_set(
    "segmentation segmentations segmentierung segmentierungen segmentacion seg segs"
)
_DOC_WORDS = word_set(
    "doc docs document documents documentation doku dokumente dokumentation documentos documento "
    "documentazione figure figures fig figs readme paper papers poster "
    "literature literatur license "
    "licence screenshot screenshots thumbnail thumbnails thumbs preview previews logo logos log "
    "logs notebook notebooks code src script scripts assets plots slides "
    "presentation supplementary "
    "supplement misc admin info about web website prasentation prasentationen praesentation "
    "vortrag folien abbildung abbildungen grafik grafiken diagramm diagramme bericht berichte "
    "handbuch "
    "anleitung protokoll protokolle rapport rapports presentations informe informes "
    "figuras figura graficos articulo articulos relazione relazioni articolo figury dokumenty "
    "документы отчет отчёты документация 文档 資料"
)
_VIEW_WORDS = word_set(
    "pa ap ll lat lateral lateralis frontal anteroposterior posteroanterior seitlich supine erect "
    "portable standing"
)
_SITE_TOKENS = word_set(
    "hospital hospitals hosp clinic clinica clinical klinik klinikum kliniken krankenhaus "
    "universitatsklinikum uniklinik site sites centre center centro zentrum st saint sankt san "
    "santa sainte stmary uni university universitat hopital hospitalier chu ospedale policlinico "
    "medical medcenter general county infirmary charite institute institut praxis standort sitio "
    "szpital nemocnice ziekenhuis umc sjukhus sygehus mc health cohort kohorte 病院 医院 醫院 병원 "
    "больница scanner vendor device siemens philips ge agfa fuji carestream"
)
# Only ever evidence that a level holds classes; a class needs not be among them.
FINDING_WORDS = word_set(
    "normal normals abnormal healthy gesund krank unauffallig auffallig befund sain saine malade "
    "sano sana sanos negative positive negativ positiv neg pos covid covid19 corona sarscov2 sars "
    "mers ncov pneumonia pneumonias pneumonie neumonia polmonite pneumocystis lungenentzundung "
    "tuberculosis tuberkulose tuberculose tb viral virus bacterial bacteria bakteriell fungal lung "
    "opacity opacities effusion pleural atelectasis cardiomegaly edema oedema consolidation "
    "infiltration infiltrate infiltrates nodule nodules mass pneumothorax emphysema fibrosis "
    "hernia fracture thickening finding findings nofinding disease diseased sick cancer tumor "
    "tumour tumeur malignant benign control controls kontrolle other others enlarged "
    "cardiomediastinum lesion lesions devices support silicosis asthma copd 正常 肺炎 結核 结核 "
    "異常 异常 건강 폐렴 정상 норма пневмония туберкулез non"
)

_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")
_APART = re.compile(r"[\W_]+")
_LATIN_MARKS = re.compile("[\u0300-\u036f]")


def plain(text: str) -> str:
    """Return `text` without case and Latin accents."""
    return _LATIN_MARKS.sub("", unicodedata.normalize("NFKD", text)).casefold()


def tokens(name: str) -> tuple[str, ...]:
    """Return the words of a name: ``Train_set`` and ``TrainSet`` are ``train``, ``set``."""
    spaced = _CAMEL.sub(" ", unicodedata.normalize("NFC", name))
    return tuple(part for part in _APART.split(plain(spaced)) if part)


@dataclass(frozen=True)
class SplitWord:
    """What a word says about the split.

    Attributes:
        split: ``train``, ``validation`` or ``test``.
        sure: False for words that are used for other things too (``holdout``, ``dev``).
    """

    split: str
    sure: bool


_SPLIT_WORDS: dict[str, SplitWord] = {
    plain(word): SplitWord(split, sure)
    for sure, lists in (
        (False, (_PERHAPS_TRAIN, _PERHAPS_VALIDATION, _PERHAPS_TEST)),
        (True, (_TRAIN, _VALIDATION, _TEST)),
    )
    for split, words in zip(SPLITS, lists, strict=True)
    for word in words.split()
}


@lru_cache(maxsize=4096)
def split_word(name: str) -> SplitWord | None:
    """Return what split a folder name or a value stands for; None where it is no such word."""
    if is_fold(name):
        return None
    words = [word for word in tokens(name) if not word.isdigit()]
    rest = [word for word in words if word not in _AROUND_SPLITS]
    if not rest:
        return None
    joined = "".join(rest)
    while True:
        if found := _SPLIT_WORDS.get(joined):
            return found
        shorter = _ENDINGS.sub("", joined)
        if shorter == joined or not shorter:
            return None
        joined = shorter


def split_of(word: str) -> str | None:
    """Return the split that a word stands for, sure or not; None where it is no such word."""
    found = split_word(word)
    return None if found is None else found.split


@lru_cache(maxsize=4096)
def split_in(name: str) -> str | None:
    """Return the split that a longer name speaks of (``train_COVIDx9A``), None for none or two."""
    if found := split_of(name):
        return found
    splits = {_SPLIT_WORDS[word].split for word in tokens(name) if word in _SPLIT_WORDS}
    return splits.pop() if len(splits) == 1 else None


_FOLD = re.compile(
    r"(?:k?[-_ ]?folds?|cv|k|split|partition|falte|pliegue|pli|cross[-_ ]?val(?:idation)?)"
    r"[\W_]*\d{1,3}(?:[\W_]*(?:of|von|de|out[\W_]of)[\W_]*\d{1,3})?"
    r"|\d{1,2}(?:st|nd|rd|th)?[\W_]*folds?",
    re.I,
)
_SHARD = re.compile(
    r"(?:images?|imgs?|parts?|partie|parte|batch(?:es)?|shards?|chunks?|volumes?|vol|disk|disc|cd|"
    r"dvd|archives?|teil|tranche|lote?|blocks?|zip|bilder|imagenes|subset|set|folder|ordner|dir|"
    r"group|gruppe|series)[\W_]*(?:\d{1,6}|[a-f])",
    re.I,
)


def is_fold(name: str) -> bool:
    """Return whether a name is a fold of a cross-validation (``fold1``, ``cv_3``, ``k2``)."""
    return _FOLD.fullmatch(plain(name).strip()) is not None


def is_shard(name: str) -> bool:
    """Return whether a name is one of several pieces of a set (``images_001``, ``part2``)."""
    return _SHARD.fullmatch(plain(name).strip()) is not None


def is_image_folder(name: str) -> bool:
    """Return whether a name says no more than that pictures lie there (``images``, ``PNG``)."""
    words = [word for word in tokens(name) if not word.isdigit()]
    return bool(words) and (
        "".join(words) in IMAGE_WORDS or all(word in IMAGE_WORDS for word in words)
    )


def is_mask_folder(name: str) -> bool:
    """Return whether a folder holds masks or other drawings on pictures (``lung_masks``)."""
    words = set(tokens(name))
    if words & _MASK_TOKENS:
        return True
    return bool(words & _SEGMENTATION_TOKENS) and not words & {"data", "dataset", "set", "daten"}


def is_docs_folder(name: str) -> bool:
    """Return whether a folder holds documents, figures or program text."""
    words = tokens(name)
    return bool(words) and words[0] in _DOC_WORDS and len(words) <= 2


def is_view(name: str) -> bool:
    """Return whether a name is a projection (``PA``, ``lateral``)."""
    words = tokens(name)
    return bool(words) and all(word in _VIEW_WORDS | {"view", "views"} for word in words)


def is_lateral(value: str) -> bool:
    """Return whether a value of a view column says that the picture is taken from the side."""
    words = tokens(value)
    return any(word in _LATERALS for word in words) or "".join(words) in _LATERALS


_LATERALS = word_set(
    "l ll rl lat lateral laterals leftlateral rightlateral lld rld seitlich seite laterale profil "
    "profile perfil zijdelings boczne"
)


def names_lateral(folders: Sequence[str], stem: str) -> bool:
    """Return whether a picture's folders or its name say that it is taken from the side.

    Args:
        folders: those that it lies in; a folder says so by its whole name (``LAT``).
        stem: its name without ending, of which one word says so (``view2_lateral``).
    """
    return any(is_view(name) and is_lateral(name) for name in folders) or not (
        _LATERALS_IN_NAMES.isdisjoint(tokens(stem))
    )


_LATERALS_IN_NAMES = word_set("lateral lateralis seitlich")


def is_site(name: str) -> bool:
    """Return whether a name sounds like a hospital, a centre or a device."""
    return not _SITE_TOKENS.isdisjoint(tokens(name)) or bool(_RUN_TOGETHER.match(name))


_RUN_TOGETHER = re.compile(r"(?:St|San|Sankt|Saint|Hospital|Klinik|Site|Center|Centre)[A-Z0-9]")


def names_finding(name: str) -> bool:
    """Return whether a name speaks of a finding, a disease or health."""
    words = tokens(name)
    return not FINDING_WORDS.isdisjoint(words) or "".join(words) in FINDING_WORDS
