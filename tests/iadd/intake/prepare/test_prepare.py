"""A folder of a hospital becomes grey pictures without a name, whatever happens on the way."""

import csv
import gzip
import io
import json
import os
import stat
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread

from iadd.cohort import draw_image
from iadd.intake.errors import DatasetError
from iadd.intake.examine import examine
from iadd.intake.layout.mapping import Mapping, Role
from iadd.intake.options import ReadOptions
from iadd.intake.prepare import reading
from iadd.intake.prepare.folder import PreparedFolderError, is_finished, is_prepared
from iadd.intake.prepare.key_file import KeyFileError, load_key
from iadd.intake.prepare.manifest import manifest_mapping
from iadd.intake.prepare.options import PrepareOptions
from iadd.intake.prepare.pack import pack, shown_name
from iadd.intake.prepare.prepare import OpenQuestionsError, prepare
from iadd.intake.prepare.text import Box, paint_black
from iadd.intake.read import read_archive
from tests.fixtures.planted import NAMES, planted_in, write_source

KEY = b"k" * 32
SIDE = 32


def options(**changes):
    return PrepareOptions(
        **{"key": KEY, "image_size": SIDE, "text": "skip", "workers": 1, **changes}
    )


def grey(label, number, bits=8):
    levels = draw_image(label, number, image_size=SIDE).astype(np.uint16)
    return levels.astype(np.uint8) if bits == 8 else levels << (bits - 8)


def write_classes(folder, *, each=4, bits=8):
    for label in ("COVID", "Normal"):
        (folder / label).mkdir(parents=True, exist_ok=True)
        for number in range(each):
            image = Image.fromarray(grey(label, number, bits))
            image.save(folder / label / f"scan{number}.png")
    return folder


def receipts(out):
    lines = [json.loads(line) for line in (out / "receipts.jsonl").read_text().splitlines()]
    return {line["file"]: line for line in lines[1:]}


def manifest(out):
    return list(csv.DictReader((out / "manifest.csv").read_text().splitlines()))


def contents(out):
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and path.name != "receipts.jsonl"
    }


def test_no_planted_name_is_in_what_may_leave(tmp_path):
    source, out = write_source(tmp_path / "source"), tmp_path / "prepared"
    done = prepare(source, out, options=options(keep_dicom=True))

    assert done.accepted == {"COVID": 9, "Normal": 9}
    written = contents(out) | contents(tmp_path / "prepared-dicom")
    assert len(written) == 18 + 6 + 2
    for name, content in written.items():
        assert planted_in(content) == [], name
        assert planted_in(name.encode()) == []
    # The search finds what is there.
    everything = b"".join(contents(source).values()) + "".join(contents(source)).encode()
    assert len(planted_in(everything)) == len(NAMES)


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_receipts_are_for_their_owner_alone(tmp_path):
    prepare(write_classes(tmp_path / "source"), tmp_path / "prepared", options=options())

    mode = (tmp_path / "prepared" / "receipts.jsonl").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


def test_pictures_hold_pixels_alone(tmp_path):
    source, out = write_source(tmp_path / "source", each=1), tmp_path / "prepared"
    prepare(source, out, options=options())

    for row in manifest(out):
        with Image.open(out / row["file"]) as image:
            assert (image.size, image.mode, image.info) == ((SIDE, SIDE), "L", {})


def test_receipts_say_what_every_file_became(tmp_path):
    source, out = write_source(tmp_path / "source", each=1), tmp_path / "prepared"
    (source / "Folderplant^COVID0_1950" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with (source / "manifest.csv").open("a") as table:
        table.write("Folderplant^COVID0_1950/broken.png,COVID,Rowplant COVID 0\n")
    done = prepare(source, out, options=options(keep_dicom=True))

    found = receipts(out)
    assert len(found) == 10 == sum(done.accepted.values()) + 1 + sum(done.ignored.values())
    dicom = found["Folderplant^COVID0_1950/fileplant_0.dcm"]
    assert dicom["codes"] == ["113100"]
    assert {"dicom", "header", "private", "sequence"} <= set(dicom["found"])
    assert "PatientComments" in dicom["removed"]
    assert found["Folderplant^COVID0_1950/Fileplant-0.jpg"]["found"] == ["exif", "text"]
    assert found["Folderplant^COVID0_1950/FILEPLANT 0.png"]["found"] == ["text"]
    assert found["Folderplant^COVID0_1950/broken.png"]["code"] == "truncated"
    assert found["documentplant.docx"]["reason"] == "documents"


def test_a_scrubbed_dicom_file_shows_the_picture_and_a_hash(tmp_path):
    source, out = write_source(tmp_path / "source", each=1), tmp_path / "prepared"
    prepare(source, out, options=options(keep_dicom=True))

    row = receipts(out)["Folderplant^COVID0_1950/fileplant_0.dcm"]
    kept = dcmread(tmp_path / "prepared-dicom" / row["dicom"])
    original = dcmread(source / "Folderplant^COVID0_1950" / "fileplant_0.dcm")
    assert np.array_equal(kept.pixel_array, original.pixel_array)
    assert len(str(kept.PatientID)) == 16


def test_the_portal_reads_the_manifest_without_a_question(tmp_path):
    source, out = write_source(tmp_path / "source"), tmp_path / "prepared"
    prepare(source, out, options=options())
    packed = pack(out, tmp_path / "work")
    (tmp_path / "portal").mkdir()
    outcome = examine(
        packed, tmp_path / "portal", options=ReadOptions(key=b"p" * 32, image_size=SIDE, workers=1)
    )

    assert outcome.status == "ready", outcome
    assert {name: sum(of.values()) for name, of in outcome.classes.items()} == {
        "COVID": 9,
        "Normal": 9,
    }
    assert outcome.quality["split_by"] == "patient"


def test_the_portal_has_an_answer_where_it_asks_about_a_manifest(tmp_path):
    source, out = write_classes(tmp_path / "source"), tmp_path / "prepared"
    # Too few for a class, and spelt like another one.
    (source / "covid").mkdir()
    Image.fromarray(grey("COVID", 77)).save(source / "covid" / "scan.png")
    mapping = Mapping(levels=(Role.CLASS,), leave_out=("covid",))
    prepare(source, out, options=options(), mapping=mapping)
    answer = Mapping.from_dict(manifest_mapping((out / "manifest.csv").read_bytes()))
    (tmp_path / "portal").mkdir()
    outcome = examine(
        pack(out, tmp_path / "work"),
        tmp_path / "portal",
        options=ReadOptions(key=b"p" * 32, image_size=SIDE, workers=1),
        mapping=answer,
    )

    assert outcome.status == "ready", outcome
    assert sorted(outcome.classes) == ["COVID", "Normal"]


def test_patients_stay_together_across_exports_by_their_key(tmp_path):
    source = write_source(tmp_path / "source")
    first, second, other = (tmp_path / name for name in ("first", "second", "other"))
    prepare(source, first, options=options())
    prepare(source, second, options=options())
    prepare(source, other, options=options(key=b"x" * 32))

    patients = [{row["patient"] for row in manifest(out)} for out in (first, second, other)]
    assert patients[0] == patients[1]
    assert len(patients[0]) == 6
    assert patients[0].isdisjoint(patients[2])


@pytest.mark.parametrize("bits", [8, 12])
def test_grey_levels_are_those_of_the_portal(tmp_path, bits):
    source, out = write_classes(tmp_path / "source", bits=bits), tmp_path / "prepared"
    prepare(source, out, options=options())
    (tmp_path / "read").mkdir()
    read = read_archive(
        source,
        tmp_path / "read",
        options=ReadOptions(key=KEY, image_size=SIDE, workers=1),
        mapping=Mapping(levels=(Role.CLASS,)),
    )

    ours = {np.asarray(Image.open(out / row["file"])).tobytes() for row in manifest(out)}
    assert ours == {picture.tobytes() for picture in read.pixels}
    assert max(max(picture) for picture in ours) > 200


class Stop(BaseException):
    pass


def stop_at(phase, number):
    """Stop at the `number`th report of a phase, as an interrupt would."""

    def listener(report):
        if report.phase == phase and report.done >= number:
            raise Stop

    return listener


@pytest.mark.parametrize(("phase", "number"), [("reading", 3), ("writing", 0), ("writing", 5)])
def test_an_interrupted_preparation_goes_on(tmp_path, phase, number, monkeypatch):
    source = write_classes(tmp_path / "source", bits=12)
    prepare(source, tmp_path / "whole", options=options())
    out = tmp_path / "prepared"
    with pytest.raises(Stop):
        prepare(source, out, options=options(), on_progress=stop_at(phase, number))
    assert not is_finished(out)
    for row in manifest(out):
        assert Image.open(out / row["file"]).size == (SIDE, SIDE)
    decoded = []
    submit = reading.DecoderPool.submit
    monkeypatch.setattr(
        reading.DecoderPool,
        "submit",
        lambda self, data, name: decoded.append(name) or submit(self, data, name),
    )
    done = prepare(source, out, options=options())

    assert len(decoded) == (8 - number if phase == "reading" else 0)
    assert done.accepted == {"COVID": 4, "Normal": 4}
    assert contents(out) == contents(tmp_path / "whole")
    assert is_finished(out)


@pytest.mark.parametrize("phase", ["reading", "writing"])
def test_no_planted_name_is_in_what_an_interrupt_leaves(tmp_path, phase):
    source, out = write_source(tmp_path / "source"), tmp_path / "prepared"
    with pytest.raises(Stop):
        prepare(source, out, options=options(), on_progress=stop_at(phase, 9))

    left = contents(out)
    assert len(left) > 9
    assert [name for name, content in left.items() if planted_in(content + name.encode())] == []


def test_a_file_that_goes_between_two_runs_is_forgotten(tmp_path):
    source, out = write_classes(tmp_path / "source"), tmp_path / "prepared"
    with pytest.raises(Stop):
        prepare(source, out, options=options(), on_progress=stop_at("writing", 0))
    (source / "COVID" / "scan2.png").unlink()

    assert prepare(source, out, options=options()).accepted == {"COVID": 3, "Normal": 4}


def test_a_run_that_was_killed_at_its_start_is_no_obstacle(tmp_path):
    source, out = write_classes(tmp_path / "source"), tmp_path / "prepared"
    (out / ".work").mkdir(parents=True)
    (out / "receipts.jsonl").write_bytes(b'{"prep')

    assert prepare(source, out, options=options()).accepted == {"COVID": 4, "Normal": 4}


def test_a_line_that_a_kill_has_cut_is_written_again(tmp_path):
    source, out = write_classes(tmp_path / "source"), tmp_path / "prepared"
    prepare(source, out, options=options())
    whole = contents(out)
    file = out / "receipts.jsonl"
    file.write_bytes(file.read_bytes()[:-20])
    prepare(source, out, options=options())

    assert contents(out) == whole
    assert len(receipts(out)) == 8


def test_what_was_added_to_the_source_is_added_and_what_changed_is_read_again(tmp_path):
    source, out = write_classes(tmp_path / "source", each=4, bits=10), tmp_path / "prepared"
    prepare(source, out, options=options())
    write_classes(source, each=6, bits=12)
    (source / "COVID" / "scan0.png").unlink()
    done = prepare(source, out, options=options())

    assert done.accepted == {"COVID": 5, "Normal": 6}
    (tmp_path / "again").mkdir()
    prepare(source, tmp_path / "again" / "prepared", options=options())
    # All are scaled by the depth that the new ones made known.
    pixels = [
        sorted(content for name, content in contents(folder).items() if name.endswith("png"))
        for folder in (out, tmp_path / "again" / "prepared")
    ]
    assert pixels[0] == pixels[1]
    assert len(manifest(out)) == 11


def test_other_settings_are_refused_and_change_nothing(tmp_path):
    source, out = write_classes(tmp_path / "source"), tmp_path / "prepared"
    prepare(source, out, options=options())
    before = contents(out)
    with pytest.raises(PreparedFolderError, match="another size"):
        prepare(source, out, options=options(image_size=48))
    with pytest.raises(PreparedFolderError, match="another key"):
        prepare(source, out, options=options(key=b"x" * 32))

    assert contents(out) == before


def test_two_programs_do_not_write_into_one_folder(tmp_path):
    source, out = write_classes(tmp_path / "source"), tmp_path / "prepared"

    def meanwhile(report):
        if report.phase == "reading":
            prepare(source, out, options=options())

    with pytest.raises(PreparedFolderError, match="Another program"):
        prepare(source, out, options=options(), on_progress=meanwhile)
    assert prepare(source, out, options=options()).accepted == {"COVID": 4, "Normal": 4}


def test_a_folder_of_other_files_is_left_alone(tmp_path):
    source, out = write_classes(tmp_path / "source"), tmp_path / "theirs"
    out.mkdir()
    (out / "thesis.txt").write_text("mine")
    with pytest.raises(PreparedFolderError, match="holds other files"):
        prepare(source, out, options=options())

    assert [path.name for path in out.iterdir()] == ["thesis.txt"]
    assert not is_prepared(out)


def test_an_unclear_layout_is_asked_about_and_nothing_is_written(tmp_path):
    for site in ("General", "StMary"):
        write_classes(tmp_path / "source" / site)
    with pytest.raises(OpenQuestionsError) as asked:
        prepare(tmp_path / "source", tmp_path / "prepared", options=options())

    assert asked.value.layout.questions
    assert not (tmp_path / "prepared").exists()
    mapping = asked.value.layout.readings[0].mapping
    prepare(tmp_path / "source", tmp_path / "prepared", options=options(), mapping=mapping)
    assert {row["site"] for row in manifest(tmp_path / "prepared")} == {"General", "StMary"}


def test_lateral_pictures_are_left_out_and_counted(tmp_path):
    from tests.fixtures.dicom import write_dicom

    source = write_classes(tmp_path / "source")
    levels = grey("COVID", 9).astype(np.uint16) * 16
    (source / "COVID" / "side.dcm").write_bytes(write_dicom(levels, ViewPosition="LL"))
    done = prepare(source, tmp_path / "prepared", options=options())

    assert done.accepted == {"COVID": 4, "Normal": 4}
    assert done.ignored == {"lateral pictures, by their DICOM header": 1}


def test_patients_as_classes_are_refused_without_their_names(tmp_path):
    for patient in ("MUELLER^HANS", "SCHMIDT^EVA"):
        (tmp_path / "source" / patient).mkdir(parents=True)
        for number in range(3):
            Image.fromarray(grey("COVID", number)).save(
                tmp_path / "source" / patient / f"{number}.png"
            )
    with pytest.raises(DatasetError) as refused:
        prepare(
            tmp_path / "source",
            tmp_path / "prepared",
            options=options(),
            mapping=Mapping(levels=(Role.CLASS,)),
        )

    assert "MUELLER" not in str(refused.value)
    assert not (tmp_path / "prepared").exists()


def test_a_class_that_a_table_takes_for_no_label_is_renamed_first(tmp_path):
    source = write_classes(tmp_path / "source")
    (source / "Normal").rename(source / "None")
    with pytest.raises(DatasetError, match="merge"):
        prepare(
            source,
            tmp_path / "prepared",
            options=options(),
            mapping=Mapping(levels=(Role.CLASS,)),
        )
    mapping = Mapping(levels=(Role.CLASS,), merge={"None": "No finding"})
    done = prepare(source, tmp_path / "prepared", options=options(), mapping=mapping)

    assert done.accepted == {"COVID": 4, "No finding": 4}


class OneLine:
    """Stands for the reader of texts: it finds one line in pictures of a bright corner."""

    def read(self, image):
        from iadd.intake.text.reader import TextBox

        height, width = image.shape
        corner = image[: height // 8, : width // 4]
        if np.median(corner) < 240:
            return [TextBox(0, 0, 40, 20, 0.9, True)]
        return [TextBox(0, 0, width // 4, height // 8, 0.9, False)]


@pytest.fixture
def marked(tmp_path, monkeypatch):
    """A source in which two pictures have text in a corner."""
    monkeypatch.setattr("iadd.intake.prepare.text.TextReader", OneLine)
    source = write_classes(tmp_path / "source")
    for label in ("COVID", "Normal"):
        levels = grey(label, 0).copy()
        levels[: SIDE // 8, : SIDE // 4] = 255
        Image.fromarray(levels).save(source / label / "scan0.png")
    return source


def test_pictures_with_text_are_held_and_listed(marked, tmp_path):
    done = prepare(marked, tmp_path / "prepared", options=options(text="hold"))

    assert done.accepted == {"COVID": 3, "Normal": 3}
    assert done.with_text == ("COVID/scan0.png", "Normal/scan0.png")
    assert receipts(tmp_path / "prepared")["COVID/scan0.png"]["code"] == "text_in_picture"


def test_text_is_painted_black(marked, tmp_path):
    out = tmp_path / "prepared"
    done = prepare(marked, out, options=options(text="blank"))

    assert done.accepted == {"COVID": 4, "Normal": 4}
    painted = np.asarray(Image.open(out / receipts(out)["COVID/scan0.png"]["became"]))
    assert painted[: SIDE // 8, : SIDE // 4].max() == 0
    assert painted[SIDE // 2 :].max() > 100


def test_the_readme_says_that_text_was_not_looked_for(tmp_path):
    source = write_classes(tmp_path / "source")
    prepare(source, tmp_path / "prepared", options=options())

    assert "NOT looked for" in (tmp_path / "prepared" / "README.txt").read_text()


def test_text_is_painted_over_in_dicom_files_too(tmp_path, monkeypatch):
    monkeypatch.setattr("iadd.intake.prepare.text.TextReader", OneLine)
    from pydicom import uid

    from tests.fixtures.dicom import write_dicom

    source, out = write_classes(tmp_path / "source"), tmp_path / "prepared"
    levels = grey("COVID", 0).astype(np.uint16) * 16
    levels[: SIDE // 8, : SIDE // 4] = 4095
    for name, syntax in (("a", uid.ExplicitVRLittleEndian), ("b", uid.JPEG2000Lossless)):
        levels[SIDE - 1, SIDE - 1] += 16  # no repetition of the other
        (source / "COVID" / f"{name}.dcm").write_bytes(write_dicom(levels, syntax))
    prepare(source, out, options=options(text="blank", keep_dicom=True))

    for name in ("a", "b"):
        receipt = receipts(out)[f"COVID/{name}.dcm"]
        assert receipt["codes"] == ["113100", "113101"]
        kept = dcmread(tmp_path / "prepared-dicom" / receipt["dicom"])
        assert kept.pixel_array[: SIDE // 8, : SIDE // 4].max() == kept.pixel_array.min()
        assert kept.pixel_array[SIDE // 2 :].max() > 1000


def test_a_box_covers_what_resizing_spreads():
    levels = np.full((100, 100), 7, np.uint16)
    painted = paint_black(levels, [Box(0.1, 0.2, 0.305, 0.4)])

    assert painted[18:42, 8:33].max() == 0
    assert painted.sum() == 7 * (100 * 100 - 24 * 25)
    assert levels.min() == 7


def test_a_key_is_made_once_and_for_its_owner(tmp_path):
    path = tmp_path / "config" / "patients.key"
    made = load_key(path)

    assert load_key(path) == made
    assert len(made) == 32
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_holds_no_key_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("no key")
    with pytest.raises(KeyFileError, match="holds no key"):
        load_key(tmp_path / "notes.txt")


def test_an_unfinished_or_changed_folder_is_not_packed(tmp_path):
    source, out = write_classes(tmp_path / "source"), tmp_path / "prepared"
    with pytest.raises(Stop):
        prepare(source, out, options=options(), on_progress=stop_at("writing", 2))
    with pytest.raises(PreparedFolderError, match="not finished"):
        pack(out, tmp_path / "work")
    prepare(source, out, options=options())
    file = io.BytesIO()
    from PIL.PngImagePlugin import PngInfo

    text = PngInfo()
    text.add_text("Patient", "Anna")
    Image.fromarray(grey("COVID", 0)).save(file, "PNG", pnginfo=text)
    (out / "COVID" / "000001.png").write_bytes(file.getvalue())
    with pytest.raises(PreparedFolderError, match="is not a picture that"):
        pack(out, tmp_path / "work")


def test_a_dataset_is_not_named_after_a_patient():
    assert shown_name(Path("/data/chest_xrays_2020.zip")) == "chest_xrays_2020"
    assert shown_name(Path("/data/export MUELLER")) == "Prepared images"


def test_pictures_of_a_medmnist_file_are_prepared(tmp_path):
    source = tmp_path / "chest.npz"
    arrays = {}
    for split in ("train", "val", "test"):
        arrays[f"{split}_images"] = np.stack([grey("COVID", number) for number in range(6)])
        arrays[f"{split}_labels"] = np.array([[number % 2] for number in range(6)])
    np.savez(source, **arrays)
    done = prepare(source, tmp_path / "prepared", options=options())

    assert done.accepted == {"0": 9, "1": 9}
    assert {row["split"] for row in manifest(tmp_path / "prepared")} == {
        *("train", "validation", "test")
    }


def test_a_table_that_is_packed_moves_no_picture(tmp_path):
    source = write_classes(tmp_path / "source")
    (source / "COVID" / "a.csv.gz").write_bytes(gzip.compress(b"no table"))
    (source / "Normal" / "scan0.tab").write_bytes(b"no table")
    done = prepare(source, tmp_path / "prepared", options=options())

    assert done.accepted == {"COVID": 4, "Normal": 4}
    found = receipts(tmp_path / "prepared")
    labels = [found[f"COVID/scan{number}.png"]["row"]["label"] for number in range(4)]
    assert labels == ["COVID"] * 4


@pytest.mark.slow
def test_a_name_in_the_pixels_is_read_and_painted_over(tmp_path):
    from PIL import ImageDraw, ImageFont

    source, out = tmp_path / "source", tmp_path / "prepared"
    for label in ("COVID", "Normal"):
        (source / label).mkdir(parents=True)
        for number in range(3):
            image = Image.fromarray(draw_image(label, number, image_size=480))
            if number == 0:
                font = ImageFont.load_default(24)
                ImageDraw.Draw(image).text((20, 20), "MUELLER HANS", fill=255, font=font)
            image.save(source / label / f"{number}.png")
    held = prepare(source, tmp_path / "held", options=options(text="hold"))
    assert held.with_text == ("COVID/0.png", "Normal/0.png")
    prepare(source, out, options=options(text="blank", image_size=480))

    for label in ("COVID", "Normal"):
        receipt = receipts(out)[f"{label}/0.png"]
        painted = np.asarray(Image.open(out / receipt["became"]))
        assert receipt["text_boxes"] >= 1
        assert painted[24:44, 24:180].max() == 0
