from iadd import presets
from iadd.config import Config


def test_the_paper_preset_is_the_papers_setting() -> None:
    config = presets.paper_covid_cxr()
    assert (config.network.depth, config.network.width, config.image_size) == (5, 128, 112)
    assert (config.teacher.teachers, config.teacher.teacher_epochs) == (100, 50)
    assert config.distillation.images_per_class == 20
    assert config.distillation.iterations == 5000
    assert config.distillation.initialisation == "real"
    assert config.distillation.lr_weights == 1e-4
    assert config.evaluation.evaluation_networks == 5
    assert config.other_networks() == ("alexnet", "vgg11", "resnet18")


def test_only_paper_presets_start_from_real_images_or_may_be_told_to() -> None:
    for name, described in presets.describe().items():
        starts_real = presets.PRESETS[name]().distillation.initialisation == "real"
        assert starts_real == name.startswith("paper_")
        assert ("real" in described["limits"]["initialisation"]) == name.startswith("paper_")


def test_the_description_names_and_bounds_every_setting_of_every_preset() -> None:
    for described in presets.describe().values():
        assert set(described["defaults"]) == set(described["limits"]) == set(Config().flat())


def test_presets_with_a_proof_use_one_narrow_teacher_and_read_nothing_else() -> None:
    for name in ("cpu_dp", "gpu_dp"):
        config = presets.PRESETS[name]()
        assert config.protection.privacy == "dp"
        assert config.teacher.teachers == 1
        assert config.network.width <= 16
        assert config.distillation.validate_every == 0
        for epsilon in (1.0, 3.0, 8.0, 0.5):
            assert config.override({"epsilon": epsilon}).protection.epsilon == epsilon
