"""An archive that can be read in two ways, and what a steward decides about its findings."""

import io
import re
import zipfile

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from iadd.cohort import draw_cohort

pytestmark = pytest.mark.browser

TWINS = 4


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def two_hospitals(tmp_path_factory):
    """Folders of hospitals above those of classes; four pictures are there twice, nearly alike."""
    path = tmp_path_factory.mktemp("archive") / "two-hospitals.zip"
    noise = np.random.default_rng(3)
    with zipfile.ZipFile(path, "w") as archive:
        for number, (name, pixels) in enumerate(draw_cohort(12, image_size=112)):
            folder = f"Hospital {'AB'[number % 2]}/{name}"
            archive.writestr(f"{folder}/{number:03}.png", png(pixels))
            if number < TWINS:
                shifted = pixels + noise.integers(-2, 3, pixels.shape)
                twin = np.clip(shifted, 0, 255).astype(np.uint8)
                archive.writestr(f"{folder}/{number:03}-again.png", png(twin))
    return path


@pytest.mark.timeout(1200)
def test_a_reading_is_confirmed_and_near_duplicates_are_left_out(
    service, desk, found, hire, two_hospitals
):
    found(service, "St. Twin")
    steward = desk(service, hire(service, "St. Twin", "Dr. Twin", "steward"))
    page = steward.open("/datasets/new")
    page.get_by_label("Name", exact=True).fill("Two hospitals")
    page.get_by_role("button", name="Create and choose archive").click()
    page.wait_for_url("**/datasets/ds_*")
    dataset_id = page.url.rpartition("/")[2]
    page.get_by_label("Drop one archive here, or choose it").set_input_files(two_hospitals)

    # The portal asks before it reads an image; the overview says so too.
    page.get_by_role("link", name="Choose how to read it").wait_for(timeout=400_000)
    page = steward.open("/")
    page.get_by_role("link", name=re.compile("can be read in more than one way")).click()
    page.get_by_role("heading", name="2 readings were found").wait_for()

    # The details follow the reading that is chosen, and what cannot be used is said in the form.
    details = page.locator("#details-form")
    page.get_by_label("Reading 2").check()
    details.get_by_text("Filled in from reading 2").wait_for(state="attached")
    page.get_by_text("Change the details").last.click()
    details.get_by_label("What level 2 holds").select_option("classes")
    details.get_by_role("button", name="Read it with these details").click()
    details.get_by_text("Two folder levels hold classes").wait_for()
    assert details.get_by_label("What level 2 holds").input_value() == "class", "it stays"

    page.get_by_label("Reading 1").check()
    details.get_by_text("Filled in from reading 1").wait_for()
    page.get_by_role("button", name="Read it like the chosen reading").click()
    page.get_by_role("link", name="Distill this dataset").wait_for(timeout=400_000)

    def images():
        row = steward.context.request.get(f"{service.url}/api/v1/datasets/{dataset_id}").json()
        return sum(sum(splits.values()) for splits in row["classes"].values())

    # The twins stand side by side; one of each is left out after a confirmation.
    before = images()
    card = page.locator("article", has=page.get_by_role("heading", name="Nearly the same pictures"))
    pairs = card.get_by_role("img")
    assert pairs.count() == TWINS
    assert pairs.first.bounding_box()["width"] > 100
    card.get_by_text("Leave out", exact=True).click()
    card.get_by_text(f"This leaves out {TWINS} of {before} images").wait_for()
    card.get_by_role("button", name=f"Leave out {TWINS} images").click()
    page.get_by_text(f"{TWINS} images are left out.").wait_for(timeout=400_000)
    page.get_by_role("link", name="Distill this dataset").wait_for(timeout=400_000)
    assert images() == before - TWINS
    assert page.get_by_role("heading", name="Nearly the same pictures").count() == 0
    assert page.get_by_text("The archive was deleted once its images were read").count() == 1


@pytest.fixture(scope="module")
def written_on():
    """Two classes; a name is burned into two of the pictures."""
    file = io.BytesIO()
    font = ImageFont.load_default(size=30)
    with zipfile.ZipFile(file, "w") as archive:
        for number, (name, pixels) in enumerate(draw_cohort(6, image_size=480)):
            picture = Image.fromarray(pixels)
            if number in (0, 7):
                ImageDraw.Draw(picture).text((20, 20), "MEYER HANS 12.03.1950", 255, font=font)
            archive.writestr(f"{name}/{number:03}.png", png(np.asarray(picture)))
    return file.getvalue()


@pytest.mark.timeout(1200)
def test_text_in_pictures_is_painted_over_and_holds_nothing_any_more(
    make_service, desk, found, hire, person, written_on, wait_until
):
    service = make_service(EXCHANGE_SCAN_TEXT="true")
    found(service, "St. Script")
    account = hire(service, "St. Script", "Dr. Script", "steward")
    theirs = person(service, account)
    dataset_id = theirs.upload(written_on, "With names", wait_until)
    wait_until(
        lambda: theirs.ask("GET", f"/datasets/{dataset_id}/texts")["status"] == "done",
        "every picture was searched",
        300,
    )
    page = desk(service, account).open(f"/datasets/{dataset_id}")
    page.get_by_role("heading", name="One finding holds every release").wait_for()
    page.get_by_role("link", name="Look at the texts").first.click()
    page.get_by_text("2 pictures wait for a decision").wait_for()
    shown = page.locator(".text-picture img").first
    wait_until(lambda: shown.evaluate("one => one.naturalWidth") > 100, "the picture is there")
    page.get_by_label("Paint the outlined boxes black").first.check()
    page.get_by_label("For all others on this page").select_option("Leave the picture out")
    page.get_by_role("button", name="Store these decisions").click()
    page.wait_for_url(f"**/datasets/{dataset_id}")
    page.get_by_role("link", name="Distill this dataset").wait_for(timeout=400_000)
    assert page.get_by_text("holds every release").count() == 0
    assert theirs.ask("GET", f"/datasets/{dataset_id}")["open_holds"] == {}
