"""A real, tiny run and its report; and runs of any number of classes that nobody trained for."""

from typing import Any

import pytest
import torch

import iadd
from iadd.config import Config
from iadd.data.distilled_dataset import CURVES, DistilledDataset, History
from iadd.data.image_set import ImageSet
from iadd.data.normalisation import Normalisation
from iadd.evaluation.metrics import Evaluation, Scores
from iadd.networks.build import build_network
from iadd.privacy import audit
from tests.worker.reports.audits import AUDITS
from tests.worker.reports.sources import MakeSource, counts_of, make_images, measured
from worker.reports import ReportSource, compose, report_json, software_versions
from worker.reports.blocks import Report


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> ReportSource:
    torch.set_num_threads(1)
    config = Config().override(
        {
            "image_size": 16,
            "depth": 2,
            "width": 4,
            "teachers": 1,
            "teacher_epochs": 3,
            "images_per_class": 6,
            "iterations": 4,
            "syn_steps": 2,
            "expert_epochs": 1,
            "max_start_epoch": 2,
            "validate_every": 2,
            "validation_networks": 1,
            "evaluation_networks": 2,
            "evaluation_epochs": 3,
            "baseline_lrs": [0.01],
            "full_epochs": 1,
        }
    )
    images = make_images()
    teachers = iadd.record_trajectories(images, config, out=tmp_path_factory.mktemp("teachers"))
    distilled = iadd.distill(images, teachers, config)
    return ReportSource(
        dataset="Nagoya chest X-rays",
        asked_on="2026-11-26",
        counts=counts_of(images),
        distilled=distilled,
        utility={
            "distilled": measured(iadd.evaluate(distilled, images, config)),
            "start": measured(iadd.evaluate_start(distilled, images, config)),
            "random": measured(iadd.evaluate_random(images, config)),
            "full": measured(iadd.evaluate_full(images, config)),
        },
        privacy=audit(distilled, images),
        timings={"teaching": 12.4, "distilling": 4000.0},
        versions=software_versions(),
    )


@pytest.fixture(scope="session")
def document(source: ReportSource) -> dict[str, Any]:
    return report_json(source)


@pytest.fixture(scope="session")
def report(source: ReportSource, document: dict[str, Any]) -> Report:
    """The public one."""
    return compose(source, document)


@pytest.fixture(scope="session")
def internal(source: ReportSource, document: dict[str, Any]) -> Report:
    return compose(source, document, starts=True)


@pytest.fixture
def make_source() -> MakeSource:
    """A source with real figures of networks that answer by chance."""

    def make(
        names: tuple[str, ...],
        *,
        images_per_class: int = 1,
        networks: int = 3,
        test_images: int = 12,
        **settings: Any,
    ) -> ReportSource:
        generator = torch.Generator().manual_seed(1)
        classes = len(names)
        labels = torch.arange(classes * 2 * test_images) % classes
        split = (torch.arange(len(labels)) // classes % 2) * 2
        pixels = torch.randint(0, 256, (len(labels), 1, 16, 16), generator=generator)
        images = ImageSet(pixels.to(torch.uint8), labels, names, split.to(torch.int8))
        config = Config().override(
            {"image_size": 16, "depth": 2, "width": 4, "images_per_class": images_per_class}
            | settings
        )
        form = build_network(config.network, channels=1, classes=classes, image_size=16, seed=0)
        parameters = sum(p.numel() for p in form.parameters())
        made = torch.randn(classes * images_per_class, 1, 16, 16, generator=generator)
        distilled = DistilledDataset(
            images=made,
            labels=torch.arange(classes).repeat_interleave(images_per_class),
            classes=names,
            syn_lr=0.01,
            importance_weights=torch.linspace(0.8, 1, parameters),
            difference=torch.linspace(1, 0, parameters),
            history=History({name: [1.0, 0.9] for name in CURVES} | {"iteration": [1.0, 2.0]}),
            config=config,
            normalisation=Normalisation((0.5,), (0.2,)),
            initial_images=torch.zeros_like(made),
            best_iteration=2,
        )
        asked = images.part("test").labels

        def by_chance() -> Scores:
            answers = torch.rand(len(asked), classes, generator=generator).softmax(dim=1)
            return Scores.of(answers, asked)

        def evaluation() -> dict[str, Any]:
            scores = [by_chance() for _ in range(networks)]
            return measured(Evaluation(scores, names, 0.01, 3, len(made)))

        return ReportSource(
            dataset="Cohort",
            asked_on="2026-11-26",
            counts=counts_of(images),
            distilled=distilled,
            utility={name: evaluation() for name in ("distilled", "random", "full")},
            privacy=AUDITS["not_refuted"],
            timings={"distilling": 60.0},
            versions=software_versions(),
        )

    return make
