"""Names of files as hospitals, tools and systems write them."""

import pytest

from iadd.intake.paths import ignore_reason, path_parts


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("COVID/1.png", ("COVID", "1.png")),
        ("./COVID//1.png", ("COVID", "1.png")),
        ("/srv/export/COVID/1.png", ("srv", "export", "COVID", "1.png")),
        ("C:\\Daten\\COVID\\1.png", ("Daten", "COVID", "1.png")),
        ("D:COVID/1.png", ("COVID", "1.png")),
        ("/C:/COVID/1.png", ("COVID", "1.png")),
        ("\\\\?\\C:\\COVID\\1.png", ("COVID", "1.png")),
        ("\\\\server\\share\\1.png", ("server", "share", "1.png")),
        ("a..b/..c/1.png", ("a..b", "..c", "1.png")),
        ("12:30/1.png", ("12:30", "1.png")),
        ("E\N{COMBINING ACUTE ACCENT}tat/1.png", ("État", "1.png")),
    ],
)
def test_names_are_split_below_their_root(name: str, parts: tuple[str, ...]) -> None:
    assert path_parts(name) == parts


@pytest.mark.parametrize(
    "name", ["", "/", "C:", "C:/", "./", "../1.png", "a/../../1.png", "a\\..\\1.png", "C:..\\1.png"]
)
def test_names_that_lead_outside_or_nowhere_are_none(name: str) -> None:
    assert path_parts(name) is None


def reason(name: str) -> str | None:
    parts = path_parts(name)
    assert parts is not None
    return ignore_reason(parts)


@pytest.mark.parametrize(
    "name",
    [
        "__MACOSX/COVID/._1.png",
        "COVID/.DS_Store",
        "COVID/._1.png",
        ".git/objects/1.png",
        "$RECYCLE.BIN/x.png",
        "$Recycle.Bin/S-1-5/x.png",
        "System Volume Information/x.png",
        "COVID/@eaDir/1.png/SYNOPHOTO_THUMB_M.jpg",
        "#recycle/1.png",
        "lost+found/1.png",
        "FOUND.000/1.png",
        "COVID/Thumbs.db",
        "COVID/ehthumbs.db",
        "COVID/desktop.ini",
        "COVID/~$befund.docx",
        ".Trashes/z.png",
        "DICOMDIR",
        "AUTORUN.INF",
        "VIEWER/weasis.exe",
        "VIEWER/splash.png",
        "JRE/bin/java.dll",
    ],
)
def test_files_of_systems_and_of_pacs_discs_are_ignored(name: str) -> None:
    assert reason(name) == "system files"


@pytest.mark.parametrize(
    "name", ["labels.csv", "a/Data_Entry_2017.CSV", "train.txt", "a.tsv", "metadata.xlsx"]
)
def test_tables_are_kept_apart(name: str) -> None:
    assert reason(name) == "tables"


@pytest.mark.parametrize(
    "name",
    ["README", "README.txt", "license.txt", "docs/report.pdf", "a.json", "LICENSE", "x.html"],
)
def test_documents_are_ignored(name: str) -> None:
    assert reason(name) == "documents"


@pytest.mark.parametrize(
    "name",
    [
        "COVID/masks/1.png",
        "lung_masks/1.png",
        "COVID/infection masks/1.png",
        "lung masks/1.png",
        "LungMasks/1.png",
        "LUNG-MASK/1.png",
        "leftMask/1.png",
        "masks_2/1.png",
        "Masken/1.png",
        "masques/1.png",
        "Máscaras/1.png",
        "маски/1.png",
        "segmentation/1.png",
        "Segmentations/1.png",
        "lung segmentations/1.png",
        "COVID/seg/1.png",
        "SEG/1.png",
        "GT/1.png",
        "ground_truth/1.png",
        "GroundTruth/1.png",
        "annotations/1.png",
        "COVID/x_mask.png",
        "COVID/x-seg.png",
        "COVID/x_mask_2.png",
        "COVID/mask_17.png",
        "COVID/17_Segmentation.tif",
        "COVID/17 lung mask.png",
        "COVID/seg_001.png",
    ],
)
def test_masks_are_known_by_their_folder_or_by_their_name(name: str) -> None:
    assert reason(name) == "masks"


@pytest.mark.parametrize(
    "name",
    [
        "COVID/1.png",
        "COVID/images/person_1_bacteria_3.jpeg",
        "Maskenball/1.png",
        "unmasked/1.png",
        "damask/1.png",
        "Seg/1.png",
        "Segers/1.png",
        "SEG^ANNA/1.png",
        "Mask^Eva_1950/1.png",
        "COVID/Anna_Seg.png",
        "COVID/bisegmental.png",
        "COVID/gtx_1.png",
        "Truth/1.png",
        "Lung Segmentation Data/Train/COVID-19/images/1.png",
        "Infection Segmentation Data/Train/Normal/images/1.png",
        "images and masks/COVID/1.png",
        "Segment_1/1.png",
        "DICOM/PAT1/ST1/SE1/IM0",
        "1.2.840.113619.2.55",
        "viewpoint/1.png",
        "lungs_segmented/1.png",
        "COVID/seg.png",
    ],
)
def test_pictures_are_candidates(name: str) -> None:
    assert reason(name) is None
