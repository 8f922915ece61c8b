"""Which settings a measurement is of."""

from app.distillations.presets import get_preset
from app.distillations.service import settings_hash
from app.forecasts.keys import pace_key


def test_what_only_says_how_often_needs_no_other_measurement() -> None:
    settings = get_preset("cpu_small").settings({}, {})
    key = pace_key(settings, channels=1)

    for name in ("images_per_class", "iterations", "seed", "teacher_epochs", "full_epochs"):
        assert pace_key({**settings, name: settings[name] + 1}, channels=1) == key
    for name in ("width", "depth", "syn_steps", "teacher_batch_size", "micro_batch_size"):
        assert pace_key({**settings, name: settings[name] + 1}, channels=1) != key
    assert pace_key({**settings, "precision": "bfloat16"}, channels=1) != key
    assert pace_key({**settings, "cross_networks": ["vgg11"]}, channels=1) != key
    assert pace_key(settings, channels=3) != key


def test_a_forecast_is_of_all_settings() -> None:
    settings = get_preset("cpu_small").settings({}, {})
    digests = {settings_hash("cpu_small", {**settings, "seed": seed}) for seed in (0, 1)}
    digests.add(settings_hash("cpu_demo", settings))
    assert len(digests) == 3
