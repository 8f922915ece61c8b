import json
from dataclasses import fields

import pytest

from iadd import config as module
from iadd import presets
from iadd.config import SETTINGS, Config, ConfigError


def test_names_are_unique_across_sections_so_that_a_flat_override_is_never_ambiguous() -> None:
    names = [f.name for kind in module._SECTIONS.values() for f in fields(kind)]
    assert len(names) == len(set(names))


def test_every_field_declares_what_it_may_be() -> None:
    declared = {f.name for kind in module._SECTIONS.values() for f in fields(kind)}
    declared |= {f.name for f in fields(Config)} - {*module._SECTIONS, "preset", "private_seed"}
    assert set(SETTINGS) == set(Config().flat()) == declared
    for setting in SETTINGS.values():
        if "number" in setting.kind:
            low, high = setting.allowed
            assert low < high
        else:
            assert len(setting.choices) > 1
        assert setting.group or setting.name in ("seed", "image_size")


def test_all_that_is_out_of_range_is_refused_at_once() -> None:
    with pytest.raises(ConfigError) as refused:
        Config().override({"iterations": 0, "method": "magic", "seed": 3})
    found = {one.name: one.allowed for one in refused.value.invalid}
    assert found == {
        "iterations": [1, 1_000_000],
        "method": ["iadd", "mtt", "ddpp", "hop_tm", "dc", "dsa", "dm"],
    }
    with pytest.raises(ConfigError) as refused:
        Config().override({"max_start_epoch": 50, "first_max_start_epoch": 51})
    assert [one.name for one in refused.value.invalid] == [
        "max_start_epoch",
        "first_max_start_epoch",
    ]


def test_override_changes_what_it_names_and_nothing_else() -> None:
    changed = Config().override({"iterations": 7, "width": 8, "augmentation": ["crop"]})
    assert changed.distillation.iterations == 7
    assert changed.network.width == 8
    assert changed.augmentation.augmentation == ("crop",)
    assert changed.override({"iterations": 5000, "width": 128}).teacher == Config().teacher


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"images_per_class": 0}, "images_per_class is 0"),
        ({"images_per_class": 10**400}, "images_per_class is 1000"),
        ({"images_per_class": True}, "whole number"),
        ({"images_per_class": 2.5}, "whole number"),
        ({"images_per_class": "many"}, "'many'"),
        ({"lr_img": float("nan")}, "lr_img is nan"),
        ({"syn_lr": 0}, "syn_lr is 0"),
        ({"syn_lr": -1.0}, "syn_lr is -1.0"),
        ({"initialisation": "copy"}, "real, k_mean, noise"),
        ({"augmentation": ["swirl"]}, "augmentation is a list of at most 100: it may hold"),
        ({"baseline_lrs": []}, "baseline_lrs"),
        ({"baseline_lrs": [-1]}, "baseline_lrs is -1"),
        ({"augmentation": [["crop"]]}, "augmentation is a list"),
        ({"augmentation": ["crop"] * 101}, "at most 100"),
        ({"max_start_epoch": 50, "expert_epochs": 2}, "only 50 epochs"),
        ({"first_max_start_epoch": 9, "max_start_epoch": 8}, "lower the first"),
        ({"depth": 8, "image_size": 32}, "halves 32 pixels to nothing"),
        ({"cross_networks": ["lenet"]}, "it may hold convnet, alexnet"),
        ({"cross_networks": "resnet18"}, "cross_networks is a list"),
        (
            {"network": "vgg11", "cross_networks": ["convnet"], "depth": 8, "image_size": 32},
            "halves 32 pixels to nothing",
        ),
        ({"ipc": 3}, "Unknown setting ipc"),
    ],
)
def test_a_bad_value_is_refused_by_name(settings: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigError, match=named) as refused:
        Config().override(settings)
    assert len(str(refused.value)) < 1000


def test_other_networks_are_named_once_and_without_the_one_that_a_set_is_made_for() -> None:
    named = ["resnet18", "convnet", "alexnet", "resnet18"]
    config = Config().override({"cross_networks": named})
    assert config.other_networks() == ("resnet18", "alexnet")
    assert config.override({"network": "alexnet"}).other_networks() == ("resnet18", "convnet")


@pytest.mark.parametrize(("networks", "each"), [(5, 3), (2, 2)])
def test_another_network_is_tried_a_few_times_in_the_same_way(networks: int, each: int) -> None:
    config = Config().override({"evaluation_networks": networks})
    across = config.across("vgg11")
    assert across.network.network == "vgg11"
    assert across.evaluation.evaluation_networks == each
    back = {"network": "convnet", "evaluation_networks": networks}
    assert across.override(back) == config


@pytest.mark.parametrize("name", presets.PRESETS)
def test_a_config_survives_json(name: str) -> None:
    config = presets.PRESETS[name]()
    assert Config.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    assert config.preset == name


def test_a_document_that_is_older_than_a_setting_gets_its_default() -> None:
    document = Config().to_dict()
    del document["compute"], document["distillation"]["method"]
    assert Config.from_dict(document) == Config()


def test_a_document_that_is_no_config_is_refused() -> None:
    for document in ({}, {"network": 3}, {**Config().to_dict(), "teacher": {"specs": 1}}):
        with pytest.raises(ConfigError, match="not the settings"):
            Config.from_dict(document)


def test_the_teacher_key_follows_what_shapes_teachers_alone() -> None:
    key = Config().teacher_key()
    assert Config().override({"iterations": 9, "lr_img": 1.0}).teacher_key() == key
    assert Config().override({"teachers": 3}).teacher_key() == key
    for change in ({"seed": 1}, {"width": 64}, {"teacher_lr": 0.02}, {"rotate_degrees": 1.0}):
        assert Config().override(change).teacher_key() != key
    flat = Config().override({"teacher_flatness": 0.05})
    assert Config().override({"teacher_gap": 0.4}).teacher_key() == key, "without effect"
    assert flat.override({"teacher_gap": 0.4}).teacher_key() != flat.teacher_key()


@pytest.mark.parametrize(
    "setting",
    [
        {"teacher_sampling": "balanced"},
        {"teacher_flatness": 0.01},
        {"start_from": "correct"},
        {"initialisation": "real"},
        {"initialisation": "k_mean"},
        {"validate_every": 10},
    ],
    ids=lambda setting: "-".join(map(str, *setting.items())),
)
def test_differential_privacy_refuses_what_reads_images_without_noise(
    setting: dict[str, object],
) -> None:
    allowed = {"privacy": "dp", "validate_every": 0}
    Config().override(allowed)
    with pytest.raises(ConfigError, match=f"privacy dp.*{next(iter(setting))}"):
        Config().override({**allowed, **setting})
