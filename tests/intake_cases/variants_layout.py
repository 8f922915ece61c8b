"""Second cases of each kind: folders, splits, hospitals, patients, strays."""

from __future__ import annotations

from pathlib import Path

from tests.intake_cases.case import AWAITING, READY, REJECTED, Case
from tests.intake_cases.drawing import Files, class_folders, png, write_tar, write_zip
from tests.intake_cases.variant import Variant, variant

TWO = {"COVID": "COVID", "Normal": "Normal"}


def parts(pattern: str, splits: dict[str, int], names: dict[str, str]) -> Files:
    """Draw pictures of each class in each split; ``{s}`` stands for the split's folder."""
    files: Files = {}
    first = 0
    for split, count in splits.items():
        files |= class_folders(pattern.replace("{s}", split), names, count, first=first)
        first += count
    return files


def split_variant(name: str, of: str, splits: dict[str, int], case: dict, **more: str) -> Variant:
    """A set with split folders of these names."""
    pattern = more.get("pattern", "{s}/{c}/{i}.png")
    files = parts(pattern, splits, TWO)
    return Variant(of, Case(name=name, **case), lambda path: write_zip(path, files))


def ready_split(*counts: int) -> dict:
    return {
        "classes": {"COVID": sum(counts), "Normal": sum(counts)},
        "splits": {"COVID": counts, "Normal": counts},
    }


def asked(count: int, *said: str, **more: object) -> dict:
    return {"status": AWAITING, "classes": {"COVID": count, "Normal": count}, "said": said, **more}


SPLITS = [
    split_variant(
        "german-splits",
        "split-val-test-names",
        {"Trainingsdaten": 5, "Validierungsdaten": 3, "Testdaten": 4},
        ready_split(5, 3, 4),
    ),
    split_variant(
        "spanish-splits",
        "split-val-test-names",
        {"entrenamiento": 5, "validación": 3, "prueba": 4},
        ready_split(5, 3, 4),
    ),
    split_variant(
        "french-splits",
        "split-val-test-names",
        {"Entraînement": 5, "Validation": 3, "Test": 4},
        ready_split(5, 3, 4),
    ),
    split_variant(
        "italian-splits",
        "split-val-test-names",
        {"addestramento": 5, "validazione": 3, "test": 4},
        ready_split(5, 3, 4),
    ),
    split_variant(
        "russian-splits",
        "split-val-test-names",
        {"обучение": 5, "валидация": 3, "тест": 4},
        ready_split(5, 3, 4),
    ),
    split_variant(
        "chinese-splits",
        "split-val-test-names",
        {"训练集": 5, "验证集": 3, "测试集": 4},
        ready_split(5, 3, 4),
    ),
    split_variant(
        "japanese-splits",
        "split-val-test-names",
        {"学習用": 5, "検証用": 3, "テスト用": 4},
        ready_split(5, 3, 4),
    ),
    split_variant(
        "numbered-splits",
        "split-val-test-names",
        {"01_train": 5, "02_val": 3, "03_test": 4},
        ready_split(5, 3, 4),
    ),
    split_variant(
        "loud-splits",
        "split-val-test-names",
        {"TRAINING-SET": 5, "VALID": 3, "TEST-SET": 4},
        ready_split(5, 3, 4),
    ),
    split_variant(
        "splits-below",
        "split-val-test-names",
        {"train_imgs": 5, "val_imgs": 3, "test_imgs": 4},
        ready_split(5, 3, 4),
        pattern="cxr/data v2/{c}/{s}/{i}.png",
    ),
    split_variant(
        "splits-with-names",
        "split-val-test-names",
        {"train70": 5, "val10": 3, "test20": 4},
        ready_split(5, 3, 4),
    ),
    split_variant(
        "fit-eval",
        "split-holdout",
        {"fit": 6, "eval": 5},
        asked(11, "“eval” the test split", "“fit” the train split"),
    ),
    split_variant(
        "train-dev-test",
        "split-holdout",
        {"train": 6, "dev": 4, "test": 4},
        asked(14, "“dev” the validation split"),
    ),
    split_variant(
        "internal-external",
        "split-holdout",
        {"train": 6, "external": 4},
        asked(10, "“external” the test split"),
    ),
    split_variant(
        "train-heldout",
        "split-holdout",
        {"Training": 6, "Held-Out": 4},
        asked(10, "“Held-Out” the test split"),
        pattern="set/{s}/{c}/{i}.png",
    ),
    split_variant("train-unknown", "split-holdout", {"train": 6, "batch_neu": 4}, asked(10)),
    split_variant("k-folds", "folds", {"Fold 1": 4, "Fold 2": 4, "Fold 3": 4}, asked(12, "folds")),
    split_variant(
        "cv-folds",
        "folds",
        {"cv0": 4, "cv1": 4},
        asked(8, "folds"),
        pattern="study/{s}/{c}/{i}.png",
    ),
    split_variant("numbered-folds", "folds", {"1": 4, "2": 4, "3": 4, "4": 4, "5": 4}, asked(20)),
    split_variant(
        "folds-below", "folds", {"fold_a": 4, "fold_b": 4}, asked(8), pattern="{c}/{s}/{i}.png"
    ),
    split_variant("charite-uke", "two-hospitals", {"Charité": 4, "UKE": 4}, asked(8)),
    split_variant(
        "sites-with-root",
        "two-hospitals",
        {"Site A": 4, "Site B": 4, "Site C": 4},
        asked(12, "hospitals or sites"),
        pattern="export/{s}/{c}/{i}.png",
    ),
    split_variant("cities", "two-hospitals", {"Berlin": 4, "München": 4, "Köln": 4}, asked(12)),
    split_variant(
        "hospital-below",
        "two-hospitals",
        {"Klinikum Nord": 4, "Hôpital Sud": 4},
        asked(8),
        pattern="{c}/{s}/{i}.png",
    ),
    split_variant("scanners", "two-hospitals", {"Siemens": 4, "Philips": 4}, asked(8)),
]


@variant("two-hospitals", Case(name="hospitals-with-splits", **asked(18)))
def _(path: Path) -> Path:
    files: Files = {}
    for index, site in enumerate(("Hospital_A", "Hospital_B")):
        for split, count in (("train", 4), ("val", 2), ("test", 3)):
            first = 20 * index + {"train": 0, "val": 5, "test": 10}[split]
            files |= class_folders(f"{site}/{split}/{{c}}/{{i}}.png", TWO, count, first=first)
    return write_zip(path, files)


@variant(
    "kaggle-doubled",
    Case(
        name="doubled-german",
        classes={"GESUND": 12, "PNEUMONIE": 12},
        splits={"GESUND": (6, 3, 3), "PNEUMONIE": (6, 3, 3)},
        refused={"duplicate": 24},
    ),
)
def _(path: Path) -> Path:
    names = {"GESUND": "Normal", "PNEUMONIE": "Viral Pneumonia"}
    inner = parts("{s}/{c}/{i}.jpeg", {"Training": 6, "Validierung": 3, "Test": 3}, names)
    files = {f"Lunge/{name}": data for name, data in inner.items()}
    return write_zip(path, files | {f"Lunge/Lunge/{name}": data for name, data in inner.items()})


@variant("kaggle-doubled", Case(name="doubled-folder-alone", classes={"COVID": 5, "Normal": 5}))
def _(path: Path) -> Path:
    return write_tar(path, class_folders("set/set/{c}/{i}.png", TWO, 5), mode="w:gz")


@variant("covidx-flat", Case(name="flat-without-labels", status=REJECTED, said=("train", "test")))
def _(path: Path) -> Path:
    files = {f"train/{i}.png": png("COVID", i) for i in range(8)}
    return write_zip(path, files | {f"test/{i}.png": png("Normal", i) for i in range(8)})


@variant(
    "covidx-flat",
    Case(
        name="flat-with-lists",
        status=AWAITING,
        classes={"negative": 10, "positive": 10},
        said=("train_split.txt", "test_split.txt"),
    ),
)
def _(path: Path) -> Path:
    files: Files = {}
    for split, first in (("train", 0), ("test", 10)):
        rows = []
        for i in range(first, first + 10):
            label, finding = (("positive", "COVID"), ("negative", "Normal"))[i % 2]
            files[f"covidx/{split}/img_{i}.png"] = png(finding, i)
            rows.append(f"{i} img_{i}.png {label} rsna")
        files[f"covidx/{split}_split.txt"] = "\n".join(rows).encode()
    return write_zip(path, files)


def nih(shard: str, separator: str) -> Files:
    """Shards of flat pictures, and a table with headings of the NIH."""
    rows = [separator.join(("Image Index", "Finding Labels", "Patient ID", "View Position"))]
    files: Files = {}
    labels = ("Effusion", "No Finding", "Effusion|Mass", "No Finding", "Effusion", "No Finding")
    for index in range(3):
        for i, label in enumerate(labels):
            number = 10 * index + i
            name = f"{number:08d}_000.png"
            finding = "Normal" if label == "No Finding" else "Lung Opacity"
            files[f"{shard}{index + 1}/{name}"] = png(finding, number)
            rows.append(separator.join((name, label, str(number), "PA")))
    files["Data_Entry_2019.csv"] = "\r\n".join(rows).encode()
    return files


@variant(
    "nih-layout",
    Case(
        name="nih-batches",
        status=AWAITING,
        classes={"Effusion": 6, "No Finding": 9},
        said=("Finding Labels", "3 images have several labels"),
    ),
)
def _(path: Path) -> Path:
    return write_tar(path, nih("batch-", ";"), mode="w:bz2")


@variant(
    "mimic-layout",
    Case(
        name="mimic-with-splits",
        status=AWAITING,
        classes={"No Finding": 8, "Pneumonia": 8},
        said=("holds labels",),
        planted=("p10000", "s50000"),
    ),
)
def _(path: Path) -> Path:
    labels = ["subject_id,study_id,No Finding,Pneumonia"]
    splits = ["dicom_id,study_id,subject_id,split"]
    files: Files = {}
    for i in range(16):
        subject, study = 10000000 + 37 * i, 50000000 + i
        finding = ("Normal", "Viral Pneumonia")[i % 2]
        files[f"files/p10/p{subject}/s{study}/{i:08x}-ab.jpg"] = png(finding, i)
        labels.append(f"{subject},{study},{'1.0,' if i % 2 == 0 else ',1.0'}")
        splits.append(
            f"{i:08x}-ab,{study},{subject},{('train', 'train', 'validate', 'test')[i // 2 % 4]}"
        )
    files["mimic-cxr-2.0.0-negbio.csv"] = "\n".join(labels).encode()
    files["mimic-cxr-2.0.0-split.csv"] = "\n".join(splits).encode()
    return write_zip(path, files)


@variant(
    "chexpert-layout",
    Case(
        name="chexpert-two-tables",
        status=AWAITING,
        classes={"Edema": 10, "No Finding": 10},
        said=("train.csv", "look like patients", "lateral"),
    ),
)
def _(path: Path) -> Path:
    files: Files = {}
    number = 0
    for split, patients in (("train", 14), ("valid", 6)):
        rows = ["Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Edema"]
        for _ in range(patients):
            finding, cells = (("Normal", "1.0,"), ("Lung Opacity", ",1.0"))[number % 2]
            for view in ("frontal", "lateral"):
                name = f"CheXpert-v1.0/{split}/patient{number:05d}/study1/{view}.jpg"
                files[name] = png(finding, 100 * (view == "lateral") + number)
                rows.append(f"{name},Male,50,{view.title()},PA,{cells}")
            number += 1
        files[f"CheXpert-v1.0/{split}.csv"] = "\n".join(rows).encode()
    return write_zip(path, files)


PATIENTS = {
    "doe-jane": [f"DOE_JANE_{1940 + i}" for i in range(6)],
    "russian-people": [
        "Иванов Иван",
        "Петрова Анна",
        "Сидоров Пётр",
        "Смирнова Ольга",
        "Кузнецов Олег",
        "Попова Вера",
    ],
    "numbers": [f"{12345678 + 991 * i}" for i in range(6)],
    "surname-first": [
        "Müller, Hans",
        "Schmidt, Eva",
        "Meier, Jo",
        "Huber, Max",
        "Koch, Ina",
        "Wolf, Tom",
    ],
    "dates-of-birth": [f"Patientin geb. 0{i + 1}.03.1954" for i in range(6)],
    "doe-dash": [f"doe-john-{i}" for i in range(6)],
}


def people_on_top(name: str, people: list[str]) -> Variant:
    files: Files = {}
    for index, person in enumerate(people):
        for finding in ("COVID", "Normal")[index % 2 : index % 2 + 1]:
            files |= class_folders(
                f"{person}/{{c}}/{{i}}.png", {finding: finding}, 3, first=3 * index
            )
    planted = tuple(part for person in people[:2] for part in (person,))
    return Variant(
        "patients-on-top",
        Case(name=f"people-{name}", planted=planted, **asked(9)),
        lambda path: write_zip(path, files),
    )


PEOPLE = [people_on_top(name, people) for name, people in PATIENTS.items()]


@variant(
    "patients-on-top",
    Case(
        name="people-below-classes",
        classes={"COVID": 12, "Normal": 12},
        patients=8,
        planted=("DOE_JANE", "ROE_RICHARD"),
    ),
)
def _(path: Path) -> Path:
    files: Files = {}
    people = ("DOE_JANE_1950", "ROE_RICHARD_1961", "POE_EDGAR_1949", "LEE_ANN_1970")
    for index, (person, other) in enumerate(zip(people, reversed(people), strict=True)):
        files |= class_folders(f"{{c}}/{person}/{{i}}.png", {"COVID": "COVID"}, 3, first=3 * index)
        files |= class_folders(
            f"{{c}}/X{other}/{{i}}.png", {"Normal": "Normal"}, 3, first=3 * index
        )
    return write_zip(path, files)


def with_masks(folder: str, name: str = "{i}.png") -> Files:
    files = class_folders("Röntgen/{c}/images/{i}.png", TWO, 5)
    for finding in TWO:
        for i in range(5):
            files[f"Röntgen/{finding}/{folder}/{name.format(i=i)}"] = png("Lung Opacity", 50 + i)
    return files


def mask_variant(name: str, folder: str, file: str = "{i}.png") -> Variant:
    case = Case(name=name, classes={"COVID": 5, "Normal": 5}, ignored={"masks": 10})
    return Variant(
        "covid-qu-ex-masks", case, lambda path: write_zip(path, with_masks(folder, file))
    )


MASKS = [
    mask_variant("masks-german", "Masken"),
    mask_variant("masks-spanish", "máscaras"),
    mask_variant("masks-infection", "infection masks"),
    mask_variant("masks-french", "masques pulmonaires"),
    mask_variant("masks-truth", "ground_truth"),
    mask_variant("masks-russian", "маски"),
    mask_variant("masks-beside", "images", "{i}_mask.png"),
]


@variant(
    "masks-top-folder",
    Case(name="segmentations-on-top", classes={"COVID": 5, "Normal": 5}, ignored={"masks": 8}),
)
def _(path: Path) -> Path:
    files = class_folders("x/{c}/{i}.png", TWO, 5)
    return write_tar(
        path,
        files | {f"x/Lung-Segmentations/{i}.png": png("Normal", 60 + i) for i in range(8)},
        mode="w:xz",
    )


def stray(name: str, folder: str, count: int = 3, **case: object) -> Variant:
    files = class_folders("data/{c}/{i}.png", TWO, 5)
    files |= {f"{folder}/{i}.png": png("Lung Opacity", 70 + i) for i in range(count)}
    given: dict = asked(5) | case
    return Variant(
        "stray-docs-folder", Case(name=name, **given), lambda path: write_zip(path, files)
    )


STRAYS = [
    stray("stray-documentation", "Dokumentation"),
    stray("stray-figures", "data/figures"),
    stray("stray-screenshots", "screenshots"),
    stray("stray-reports", "Befunde", status=AWAITING),
    stray("stray-logo", "logo", 1, status=READY, said=(), ignored={"left out by the layout": 1}),
    stray("stray-presentation", "data/Präsentation 2023", status=AWAITING),
]


@variant(
    "empty-class-folder",
    Case(
        name="empty-class-tar",
        classes={"COVID": 4, "Normal": 4},
        findings={"empty_class": 1},
        ignored={"system files": 1},
    ),
)
def _(path: Path) -> Path:
    files = class_folders("s/{c}/{i}.png", TWO, 4) | {"s/Tuberkulose/Thumbs.db": b"x"}
    return write_tar(path, files, folders=["s", "s/COVID"])


@variant(
    "empty-class-folder",
    Case(name="empty-class-in-splits", findings={"empty_class": 1}, **ready_split(5, 3, 3)),
)
def _(path: Path) -> Path:
    files = parts("{s}/{c}/{i}.png", {"train": 5, "val": 3, "test": 3}, TWO)
    return write_zip(path, files, folders=["train/TB", "val/TB", "test/TB"])


@variant(
    "empty-class-folder",
    Case(
        name="class-of-documents",
        classes={"COVID": 4, "Normal": 4},
        findings={"empty_class": 1},
        ignored={"documents": 2},
    ),
)
def _(path: Path) -> Path:
    files = class_folders("{c}/{i}.png", TWO, 4)
    return write_zip(path, files | {"Pneumonie/a.docx": b"PK", "Pneumonie/liste.xlsx": b"PK"})


@variant(
    "system-folders",
    Case(
        name="system-files-of-all-makes",
        classes={"COVID": 4, "Normal": 4},
        ignored={"system files": 13},
    ),
)
def _(path: Path) -> Path:
    files = class_folders("Export/{c}/{i}.png", TWO, 4)
    for name in (
        ".DS_Store",
        ".ds_store",
        "COVID/.ds_store",
        "Thumbs.db",
        "COVID/._0.png",
        "DESKTOP.INI",
        ".Trashes/1.png",
        ".Spotlight-V100/a",
        "$RECYCLE.BIN/$R1.png",
        "@eaDir/0.png/SYNOFILE.jpg",
        "lost+found/x.png",
        "System Volume Information/tracking.log",
        "__MACOSX/COVID/._1.png",
    ):
        files[f"Export/{name}"] = png("Normal", 90)
    return write_zip(path, files)


ABSOLUTE = {
    "absolute-tar": "/home/anna/export/{c}/{i}.png",
    "windows-drive": "C:\\Users\\anna\\Desktop\\{c}\\{i}.png",
    "network-share": "\\\\nas01\\radiologie\\{c}\\{i}.png",
    "with-dots": "./set/./{c}//{i}.png",
}


def absolute(name: str, pattern: str) -> Variant:
    files = class_folders(pattern, TWO, 4)
    return Variant(
        "absolute-names",
        Case(name=name, classes={"COVID": 4, "Normal": 4}, planted=("anna",)),
        lambda path: (write_tar if "tar" in name else write_zip)(path, files),
    )


ABSOLUTES = [absolute(name, pattern) for name, pattern in ABSOLUTE.items()]


@variant(
    "absolute-names",
    Case(name="names-that-leave", classes={"COVID": 4, "Normal": 4}, refused={"unsafe_name": 2}),
)
def _(path: Path) -> Path:
    files = class_folders("/{c}/{i}.png", TWO, 4)
    outside = {"/COVID/../../x.png": png("COVID", 9), "..\\y.png": png("COVID", 8)}
    return write_zip(path, files | outside)


def spellings(name: str, *folders: str, into: str) -> Variant:
    files: Files = {}
    for index, folder in enumerate(folders):
        files |= class_folders(
            "{c}/{i}.png", {folder: "Viral Pneumonia"}, 4 - (index > 0), first=9 * index
        )
    files |= class_folders("{c}/{i}.png", {"Normal": "Normal"}, 4)
    count = 4 + 3 * (len(folders) - 1)
    case = Case(
        name=name, status=AWAITING, classes={into: count, "Normal": 4}, said=("spellings of one",)
    )
    return Variant("class-spellings", case, lambda path: write_zip(path, files))


SPELLINGS = [
    spellings("case-alone", "pneumonia", "Pneumonia", "PNEUMONIA", into="pneumonia"),
    spellings(
        "camel", "Viral Pneumonia", "ViralPneumonia", "viral-pneumonia", into="Viral Pneumonia"
    ),
    spellings("umlaut", "Lungenentzündung", "Lungenentzuendung", into="Lungenentzündung"),
    spellings("plural", "Effusion", "Effusions", into="Effusion"),
    spellings("trailing-space", "TB ", "TB", into="TB"),
    spellings("accents", "Neumonía", "Neumonia", into="Neumonía"),
]


@variant(
    "class-in-test-only",
    Case(name="third-class-in-test", status=REJECTED, said=("“TB” is only in test",)),
)
def _(path: Path) -> Path:
    files = parts("{s}/{c}/{i}.png", {"train": 5, "test": 4}, TWO)
    return write_zip(path, files | class_folders("test/{c}/{i}.png", {"TB": "Lung Opacity"}, 4))


@variant(
    "class-in-test-only",
    Case(name="other-word-in-test", status=REJECTED, said=("“Pneumonie”", "“Pneumonia”")),
)
def _(path: Path) -> Path:
    pneumonia, normal = "Viral Pneumonia", {"Normal": "Normal"}
    files = class_folders("Training/{c}/{i}.png", normal | {"Pneumonia": pneumonia}, 5)
    more = class_folders("Testing/{c}/{i}.png", normal | {"Pneumonie": pneumonia}, 4, first=20)
    return write_zip(path, files | more)


WORDS_AROUND = [
    split_variant(
        "splits-in-longer-names",
        "split-holdout",
        {"covid_xray_train": 5, "covid_xray_test": 4},
        asked(9, "“covid_xray_train” the train split", "“covid_xray_test” the test split"),
    ),
    split_variant(
        "splits-with-years",
        "split-holdout",
        {"my_train_data_2020": 5, "my_test_data_2020": 4},
        asked(9, "train split", "test split"),
    ),
    split_variant(
        "folds-of-five", "folds", {"fold_1_of_5": 4, "fold_2_of_5": 4}, asked(8, "folds")
    ),
    split_variant(
        "splits-in-folds",
        "folds",
        {"fold1/train": 4, "fold1/test": 3, "fold2/train": 4, "fold2/test": 3},
        asked(14, "folds"),
    ),
]


@variant(
    "patients-on-top",
    Case(
        name="people-as-classes",
        status=AWAITING,
        classes=dict.fromkeys(("Anna Schmidt", "Eva Huber", "Hans Mueller"), 4),
        said=("could bear the names of people",),
    ),
)
def _(path: Path) -> Path:
    names = dict.fromkeys(("Anna Schmidt", "Hans Mueller", "Eva Huber"), "Normal")
    files: Files = {}
    for index, name in enumerate(names):
        files |= class_folders("{c}/{i}.png", {name: "Normal"}, 4, first=5 * index)
    return write_zip(path, files)


@variant(
    "patients-on-top",
    Case(
        name="people-alone",
        status=REJECTED,
        said=("look like patients", "manifest.csv"),
        planted=("DOE_JANE", "ROE^RICHARD", "Mueller"),
    ),
)
def _(path: Path) -> Path:
    files: Files = {}
    for index, name in enumerate(("DOE_JANE_1950", "ROE^RICHARD", "Mueller, Hans")):
        files |= class_folders("{c}/{i}.png", {name: "Normal"}, 4, first=5 * index)
    return write_zip(path, files)


@variant(
    "chexpert-layout",
    Case(name="laterals-in-folders", classes={"COVID": 8, "Normal": 8}, findings={"lateral": 8}),
)
def _(path: Path) -> Path:
    files = class_folders("{c}/PA/{i}.png", TWO, 4)
    return write_zip(path, files | class_folders("{c}/LAT/{i}.png", TWO, 4, first=10))


@variant(
    "two-hospitals",
    Case(
        name="hospitals-of-other-classes",
        status=AWAITING,
        classes={"COVID": 10, "Normal": 5, "TB": 5},
        said=("“A”, “B” lie above the classes",),
    ),
)
def _(path: Path) -> Path:
    files = class_folders("A/{c}/{i}.png", TWO, 5)
    other = {"COVID": "COVID", "TB": "Lung Opacity"}
    return write_zip(path, files | class_folders("B/{c}/{i}.png", other, 5, first=10))


@variant(
    "patients-on-top",
    Case(
        name="people-by-one-name",
        status=AWAITING,
        classes=dict.fromkeys(("Erika", "Mustermann", "Иванова", "O'Neill", "Zoë"), 4),
        said=("If they are patients",),
    ),
)
def _(path: Path) -> Path:
    files: Files = {}
    for index, name in enumerate(("Erika", "Mustermann", "Иванова", "O'Neill", "Zoë")):
        files |= class_folders("{c}/{i}.png", {name: "Normal"}, 4, first=5 * index)
    return write_zip(path, files)


@variant(
    "empty-class-folder",
    Case(
        name="empty-folder-of-a-person",
        classes={"COVID": 4, "Normal": 4},
        findings={"empty_class": 1},
        ignored={"system files": 1},
        planted=("Mustermann",),
    ),
)
def _(path: Path) -> Path:
    files = class_folders("{c}/{i}.png", TWO, 4)
    return write_zip(path, files | {"Erika Mustermann/Thumbs.db": b"x"})


VARIANTS = [*WORDS_AROUND, *SPLITS, *PEOPLE, *MASKS, *STRAYS, *ABSOLUTES, *SPELLINGS]
