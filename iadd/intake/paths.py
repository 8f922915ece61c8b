"""Splits the names of files into parts, and sorts out by name what is no picture of the set.

Names of folders are read word by word: ``lung_masks`` and ``LungMasks`` hold masks, ``Maskenball``
does not.
"""

from __future__ import annotations

import re
import unicodedata

MOST_FOLDERS = 30
"""Folders that a picture may lie in, one in the other; no mapping has a role for more."""
_DRIVE = re.compile(r"[A-Za-z]:")
_WORDS = re.compile(r"[^\W\d_]+|\d+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")

# ----------------------------------------------------------------------------------- system files

_SYSTEM_FOLDERS = {
    *("$recycle.bin", "recycler", "recycled", "system volume information"),  # Windows
    *("__macosx", "network trash folder", "temporary items"),  # macOS
    *("@eadir", "#recycle", "#snapshot", "@tmp", "@recycle", "@recently-snapshot"),  # NAS
    *("lost+found", "__pycache__", "cvs"),
    *("viewer", "viewers", "weasis", "jre", "ihe_pdi", "dicomviewer", "dicom viewer"),  # PACS discs
}
_CHECKED_DISC = re.compile(r"found\.\d{3}")
_SYSTEM_FILES = {
    *("desktop.ini", "thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "iconcache.db", "icon\r"),
    *(
        "dicomdir",
        "lockfile",
        "autorun",
        "autorun.inf",
        "folder.htt",
        "pagefile.sys",
        "@synoresource",
    ),
}
_SYSTEM_STARTS = ("~$", "thumbs.db:")
_SYSTEM_ENDS = (
    *(".bat", ".cab", ".chm", ".class", ".cmd", ".css", ".dll", ".dylib", ".exe", ".hlp", ".icns"),
    *(".ico", ".inf", ".ini", ".jar", ".js", ".lnk", ".msi", ".ocx", ".so", ".sys", ".tmp", ".url"),
    *(".vbs", ".webloc", "@synoeastream", "@synoresource"),
)

# --------------------------------------------------------------------------- documents and tables

_DOCUMENT_NAMES = {"copying", "licence", "license", "md5sums", "notice", "readme", "sha256sums"}
_DOCUMENT_STEMS = {*_DOCUMENT_NAMES, "changelog", "citation", "liesmich", "lisezmoi", "lisez-moi"}
_DOCUMENT_ENDS = (
    *(
        ".bib",
        ".cff",
        ".doc",
        ".docx",
        ".htm",
        ".html",
        ".ipynb",
        ".json",
        ".jsonl",
        ".log",
        ".md",
        ".md5",
    ),
    *(".odp", ".ods", ".odt", ".pdf", ".ppt", ".pptx", ".py", ".rst", ".rtf", ".sha1", ".sha256"),
    *(".xls", ".xml", ".yaml", ".yml"),
)
_TABLE_ENDS = (".csv", ".tsv", ".txt", ".xlsx")

# ------------------------------------------------------------------------------------------- masks

_MASK_WORDS = {
    *("mask", "masks", "lungmask", "lungmasks", "maske", "masken", "masque", "masques"),
    *("mascara", "mascaras", "maschera", "maschere", "masker", "maskers", "maska"),
    *(
        "maski",
        "masky",
        "maskor",
        "maskar",
        "маска",
        "маски",
        "掩码",
        "掩膜",
        "掩模",
        "遮罩",
        "マスク",
    ),
    *("마스크", "maskeler", "maskesi"),
}
# These count where nothing but words of their kind surrounds them: “Lung Segmentation Data” holds
# the pictures too.
_SEGMENTATION_WORDS = {
    *("segmentation", "segmentations", "segmentierung", "segmentierungen", "segmentacion"),
    *("segmentaciones", "segmentacao", "segmentacoes", "segmentazione", "segmentazioni"),
    *("segmentatie", "segmentaties", "annotation", "annotations", "annotationen"),
    *("anotaciones", "anotacoes", "annotazioni", "groundtruth", "groundtruths", "truth"),
    *("сегментация", "разметка", "分割", "标注", "標註", "セグメンテーション"),
}
# These may be somebody's name where they are written like one (Seg).
_SHORT_WORDS = {"seg", "segs", "gt", "gts"}
_BESIDE_SEGMENTATION = {
    *("lung", "lungs", "infection", "infections", "lesion", "lesions", "heart", "hearts", "left"),
    *(
        "right",
        "clavicle",
        "clavicles",
        "rib",
        "ribs",
        "lobe",
        "lobes",
        "ground",
        "binary",
        "manual",
    ),
    *("png", "image", "images", "img", "imgs", "map", "maps", "file", "files", "auto", "final"),
    *(
        "lunge",
        "lungen",
        "infektion",
        "poumon",
        "poumons",
        "pulmon",
        "pulmones",
        "polmone",
        "polmoni",
    ),
}
# A folder that names these beside masks holds more than masks.
_MORE_THAN_MASKS = {
    *(
        "and",
        "with",
        "without",
        "no",
        "und",
        "mit",
        "ohne",
        "et",
        "avec",
        "sans",
        "y",
        "con",
        "sin",
    ),
    *("data", "dataset", "daten", "donnees", "datos", "face", "oxygen"),
}


def path_parts(name: str) -> tuple[str, ...] | None:
    r"""Split a name into its folders and its file name.

    A drive (``C:\``) and slashes in front are dropped, as tar and unzip do. Accents are composed
    (NFC), so that names from macOS equal those from elsewhere.

    Returns:
        None when the name is empty or leaves the archive by ``..``.
    """
    plain = unicodedata.normalize("NFC", name.replace("\\", "/"))
    parts = [part for part in plain.split("/") if part not in ("", ".")]
    if parts and parts[0] == "?" and plain.startswith("//"):
        del parts[0]  # \\?\C:\ opens long paths of Windows
    if parts and _DRIVE.match(parts[0]):
        parts[0] = parts[0][2:]
        parts = [part for part in parts if part not in ("", ".")]
    return None if ".." in parts or not parts else tuple(parts)


def ignore_reason(parts: tuple[str, ...]) -> str | None:
    """Return why a file is no candidate for a picture, judged by its name alone.

    Returns:
        ``system files``, ``tables``, ``documents``, ``masks`` or ``files in too many folders``;
        None for candidates.
    """
    *folders, file = parts
    name = file.casefold()
    if len(folders) > MOST_FOLDERS:
        return "files in too many folders"
    if _is_system_file(name) or any(_is_system_folder(folder.casefold()) for folder in folders):
        return "system files"
    stem = name.split(".")[0]
    if name in _DOCUMENT_NAMES or (stem in _DOCUMENT_STEMS and name.endswith((".txt", ".csv"))):
        return "documents"
    if name.endswith(_TABLE_ENDS):
        return "tables"
    if name.endswith(_DOCUMENT_ENDS):
        return "documents"
    if any(_holds_masks(folder) for folder in folders) or _is_mask(file):
        return "masks"
    return None


def _is_system_folder(name: str) -> bool:
    return (
        name.startswith(".") or name in _SYSTEM_FOLDERS or _CHECKED_DISC.fullmatch(name) is not None
    )


def _is_system_file(name: str) -> bool:
    return (
        name in _SYSTEM_FILES
        or name.startswith((".", *_SYSTEM_STARTS))
        or name.endswith(_SYSTEM_ENDS)
    )


def _words(name: str) -> list[str]:
    """Return the words and numbers of a name as written, without accents."""
    letters = unicodedata.normalize(
        "NFC",
        "".join(
            letter
            for letter in unicodedata.normalize("NFD", name)
            if not "\u0300" <= letter <= "\u036f"
        ),
    )
    return _WORDS.findall(_CAMEL.sub(" ", letters))


def _is_short_word(word: str) -> bool:
    return word.casefold() in _SHORT_WORDS and not word.istitle()


def _holds_masks(folder: str) -> bool:
    if "^" in folder:  # parts of a person's name, as DICOM writes it
        return False
    words = _words(folder)
    plain = {word.casefold() for word in words if not word.isdecimal()}
    if not plain.isdisjoint(_MORE_THAN_MASKS):
        return False
    if not plain.isdisjoint(_MASK_WORDS):
        return True
    short = {word.casefold() for word in words if _is_short_word(word)}
    telling = (plain & _SEGMENTATION_WORDS) | short
    return bool(telling - {"truth"} or {"ground", "truth"} <= plain) and plain <= (
        _BESIDE_SEGMENTATION | _SEGMENTATION_WORDS | short
    )


def _is_mask(file: str) -> bool:
    """Return whether a file is named ``x_mask.png``, ``x-seg.png``, ``mask_x.png`` or alike."""
    if "^" in file:
        return False
    words = _words(file.rpartition(".")[0] or file)
    several = len(words) > 1
    while len(words) > 1 and words[-1].isdecimal():
        words.pop()
    if not words:
        return False
    first, last = words[0].casefold(), words[-1].casefold()
    if first in _MASK_WORDS or last in _MASK_WORDS:
        return True
    return several and (
        last in _SEGMENTATION_WORDS - {"truth"}
        or _is_short_word(words[-1])
        or [word.casefold() for word in words[-2:]] == ["ground", "truth"]
    )
