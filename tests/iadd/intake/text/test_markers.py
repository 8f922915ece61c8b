import pytest

from iadd.intake.text.markers import is_harmless, is_short


@pytest.mark.parametrize(
    "text",
    [
        "L", "r", "(D)", "AP", "A-P", "PA ERECT", "Supine, AP", "PORTABLE", "PORTABIE", "Portátil",
        "SEMI-ERECT", "DCHA.", "DOHA", "LAT 2", "12", "R 3", "KV68", "mA:320", "mAs 2.50",
        "16:07:36", "回", "*", "SITTING UPRIGHT",
    ],
)  # fmt: skip
def test_markers_of_x_ray_pictures_are_harmless(text: str) -> None:
    assert is_harmless(text)


@pytest.mark.parametrize(
    "text",
    [
        "MUELLER", "AP MUELLER", "Li Wei", "Li", "王伟", "Dora", "Ma", "12.03.54", "12 03 1954",
        "4711-0815", "ID 4711", "123", "MA 1950", "Wright", "PORTER", "Age: 66y", "M U E L L E R",
        "L E A R", "Анна", "16:07:36 1954", "PA 1954", "St. Mary",
    ],
)  # fmt: skip
def test_what_may_name_a_patient_is_not(text: str) -> None:
    assert not is_harmless(text)


def test_two_letters_are_short_in_the_latin_alphabet() -> None:
    assert is_short("Li")
    assert is_short("R.")
    assert not is_short("Lis")
    assert not is_short("王伟")
