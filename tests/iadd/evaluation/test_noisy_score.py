import torch

from iadd.config import Config
from iadd.data.distilled_dataset import DistilledDataset, History
from iadd.data.image_set import ImageSet
from iadd.data.normalisation import Normalisation
from iadd.dp.ledger import Event, Ledger, MemoryLedgerStore
from iadd.dp.private_data import PrivateData
from iadd.evaluation.evaluator import evaluate
from iadd.evaluation.noisy_score import SCORE_EPSILON, NoisyScore, noisy_accuracy


def halves(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Two classes that differ by where the light is."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 200, (count, 1, 16, 16), generator=generator, dtype=torch.uint8)
    labels = torch.arange(count) % 2
    images[labels == 0, :, :8] += 40
    images[labels == 1, :, 8:] += 40
    return images, labels


def test_without_much_noise_it_is_the_accuracy_that_evaluation_finds() -> None:
    changes = {"image_size": 16, "depth": 2, "width": 4, "evaluation_epochs": 4}
    config = Config().override(changes | {"evaluation_networks": 2})
    images, labels = halves(60, 0)
    split = torch.full((60,), 2, dtype=torch.int8)
    test = ImageSet(images, labels, ("dark", "light"), split)
    normalisation = Normalisation((0.5,), (0.25,))
    few, few_labels = halves(4, 1)
    distilled = DistilledDataset(
        images=normalisation.apply(few),
        labels=few_labels,
        classes=test.classes,
        syn_lr=0.02,
        importance_weights=None,
        history=History(),
        config=config,
        normalisation=normalisation,
        initial_images=None,
        best_iteration=1,
    )
    ledger = Ledger(MemoryLedgerStore())
    ledger.book(Event(kind="public", purpose="number of units: test", run="run", released=60.0))
    private = PrivateData(test, ledger, run="run")

    score = noisy_accuracy(distilled, private, config, epsilon=1e4)

    exact = evaluate(distilled, test, config).to_dict()["accuracy"]["mean"]
    assert abs(score.accuracy - exact) < 1e-3
    assert (score.unit, score.networks) == ("image", 2)
    assert NoisyScore.from_dict(score.to_dict()) == score
    (booked,) = [event for event in ledger.events() if event.kind == "budgeted"]
    assert (booked.run, booked.mechanism is not None) == ("run", True)
    # Every other score is cut at 1, which is near the exact one.
    again = {noisy_accuracy(distilled, private, config).accuracy for _ in range(20)}
    assert len(again) > 2
    spent = [event.mechanism for event in ledger.events() if event.mechanism is not None]
    assert [round(1 / one.noise, 6) for one in spent] == [1e4] + 20 * [SCORE_EPSILON]
