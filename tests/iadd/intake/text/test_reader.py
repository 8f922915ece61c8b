import logging
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from iadd.cohort import CLASSES, draw_image
from iadd.intake.text.reader import TextBox, TextReader, blank_boxes


@pytest.fixture(scope="module")
def reader() -> TextReader:
    return TextReader()


def x_ray(size: int = 256, number: int = 1) -> np.ndarray:
    return draw_image(CLASSES[number % len(CLASSES)], number, image_size=size)


def written(lines: dict[str, tuple[int, int]], size: int = 256, height: int = 13) -> np.ndarray:
    picture = Image.fromarray(x_ray(size))
    draw = ImageDraw.Draw(picture)
    for line, place in lines.items():
        draw.text(place, line, fill=255, font=ImageFont.load_default(size=height))
    return np.asarray(picture)


def harmful(boxes: list[TextBox]) -> list[TextBox]:
    return [box for box in boxes if not box.harmless]


def turned(picture: np.ndarray, way: str) -> np.ndarray:
    return {
        "as it is": picture,
        "mirrored": picture[:, ::-1],
        "upside down": np.rot90(picture, 2),
        "on its side": np.rot90(picture),
        "inverted": 255 - picture,
    }[way]


@pytest.mark.parametrize("way", ["as it is", "mirrored", "upside down", "on its side", "inverted"])
def test_a_name_is_found_whichever_way_the_picture_is_turned(reader, way: str) -> None:
    picture = turned(written({"MUELLER HANS 12.03.1954": (6, 4)}), way)
    found = harmful(reader.read(np.ascontiguousarray(picture)))
    assert found
    # What is found covers what was written.
    marked = np.zeros((256, 256), np.uint8)
    marked[6:16, 8:150] = 1
    where = turned(marked, way) % 2 if way != "inverted" else marked
    covered = np.zeros_like(where)
    for box in found:
        covered[box.y0 : box.y1, box.x0 : box.x1] = 1
    assert covered[where == 1].mean() > 0.9


def test_markers_are_found_and_are_harmless(reader) -> None:
    boxes = reader.read(written({"PORTABLE": (90, 6), "AP": (20, 230)}, height=16))
    assert len(boxes) >= 2
    assert harmful(boxes) == []
    assert all(0.5 <= box.score <= 1 for box in boxes)


@pytest.mark.parametrize("number", range(4))
def test_pictures_without_text_have_no_finding(reader, number: int) -> None:
    assert harmful(reader.read(x_ray(number=number))) == []


def test_small_letters_of_a_large_picture_are_found(reader) -> None:
    picture = np.asarray(Image.fromarray(x_ray(512)).resize((1800, 1500)))
    image = Image.fromarray(picture)
    place, font = (60, 40), ImageFont.load_default(size=30)
    ImageDraw.Draw(image).text(place, "SCHMIDT, ANNA", fill=255, font=font)
    [box] = harmful(reader.read(np.asarray(image)))
    assert box.x0 < 70
    assert box.y0 < 50
    assert 260 < box.x1 < 400
    assert 65 < box.y1 < 100


def test_two_letters_beside_a_name_are_part_of_it(reader) -> None:
    boxes = reader.read(written({"Li": (20, 6), "WEIZHANG": (120, 6)}, height=18))
    assert len(harmful(boxes)) == 2
    assert harmful(reader.read(written({"LW": (20, 6)}, height=18))) == []


def test_a_blanked_picture_names_nobody(reader) -> None:
    picture = written({"MUELLER HANS": (6, 4), "4711-0815": (6, 20)})
    boxes = reader.read(picture)
    blanked = blank_boxes(picture, harmful(boxes))
    assert harmful(reader.read(blanked)) == []
    outside = np.ones_like(picture, bool)
    for box in boxes:
        outside[box.y0 : box.y1, box.x0 : box.x1] = False
    assert np.array_equal(blanked[outside], picture[outside])
    assert outside.mean() > 0.9


def test_what_is_read_is_neither_returned_nor_logged(reader, caplog, capfd) -> None:
    with caplog.at_level(logging.DEBUG):
        boxes = reader.read(written({"MUELLER HANS": (6, 4)}))
    printed = capfd.readouterr()
    for text in (caplog.text, printed.out, printed.err, repr(boxes), repr(vars(reader))):
        assert "MUELLER" not in text.upper()


@pytest.mark.parametrize("shape", [(5, 200), (64, 64), (8, 900)])
def test_pictures_too_small_or_flat_for_text_have_none(reader, shape: tuple[int, int]) -> None:
    assert reader.read(np.full(shape, 9, np.uint8)) == []
    noise = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    assert harmful(reader.read(noise)) == []


def test_the_module_is_light_until_a_reader_is_made() -> None:
    code = (
        "import sys, iadd.intake.text.reader\n"
        "assert not {'torch', 'onnxruntime', 'rapidocr', 'cv2'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
