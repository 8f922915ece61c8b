import pytest

from iadd.intake.layout.words import (
    is_docs_folder,
    is_fold,
    is_image_folder,
    is_lateral,
    is_mask_folder,
    is_shard,
    is_site,
    split_in,
    split_of,
    split_word,
)


@pytest.mark.parametrize(
    ("split", "words"),
    [
        ("train", "train TRAINING Train_set TrainSet trn train-images entrenamiento 訓練用 训练集"),
        ("train", "apprentissage Trainingsdaten entraînement addestramento тренировка"),
        ("validation", "val valid Validation val_data validierung validación walidacja 验证集"),
        ("test", "test Testing Test_set testset tst prueba Testdatensatz テスト 测试集"),
    ],
)
def test_split_words_of_many_languages_are_sure(split: str, words: str):
    for word in words.split():
        found = split_word(word)
        assert found is not None, word
        assert (found.split, found.sure) == (split, True), word


@pytest.mark.parametrize(
    ("word", "split"),
    [("holdout", "test"), ("hold-out", "test"), ("dev", "validation"), ("eval", "test")],
)
def test_words_of_several_meanings_are_plausible_but_unsure(word: str, split: str):
    found = split_word(word)
    assert found is not None
    assert (found.split, found.sure) == (split, False)


@pytest.mark.parametrize("word", ["COVID", "Normal", "fold1", "images", "Trainer", "contest"])
def test_other_words_are_no_splits(word: str):
    assert split_of(word) is None


def test_a_longer_name_may_speak_of_one_split_but_not_of_two():
    assert split_in("train_COVIDx9A") == "train"
    assert split_in("train_test_list") is None


@pytest.mark.parametrize("name", ["fold1", "fold_2", "cv3", "k1", "Fold 10", "1st_fold"])
def test_folds_are_known(name: str):
    assert is_fold(name)


@pytest.mark.parametrize("name", ["images_001", "part2", "batch_03", "Teil 1", "shard-7"])
def test_pieces_of_a_set_are_known(name: str):
    assert is_shard(name)


def test_folders_are_known_by_what_they_hold():
    assert all(map(is_image_folder, ("images", "IMG", "png", "Bilder", "imágenes", "X-rays")))
    assert all(
        map(is_mask_folder, ("masks", "lung_masks", "LungMask", "infection masks", "Masken"))
    )
    assert not is_mask_folder("Lung Segmentation Data")
    assert all(map(is_docs_folder, ("docs", "Documentation", "figures")))
    assert all(map(is_site, ("StMary", "General Hospital", "Klinikum Ulm", "site_2", "病院")))
    assert not any(map(is_site, ("COVID", "Normal", "Stable")))


def test_laterals_are_known_by_their_words():
    assert all(map(is_lateral, ("L", "Lateral", "LL", "LATERAL", "seitlich")))
    assert not any(map(is_lateral, ("PA", "AP", "Frontal", "")))
