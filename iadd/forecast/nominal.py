"""A device that nobody measured, for where the proportions of a job's phases suffice."""

from iadd.config import Config
from iadd.counts import gradients_per_step
from iadd.forecast.arithmetic import (
    CompilationCost,
    DeviceBenchmark,
    NetworkTiming,
    SetTiming,
    TimingFit,
)
from iadd.training.cost_model import cost_of_an_image

MATCHING_PASSES = 4.0
"""Image passes of a student step: 11 convolutions are 3⅔ passes, and what lies between them
(norms, augmentation, the updates) fills it up to four."""


def nominal_benchmark(config: Config) -> DeviceBenchmark:
    """Benchmark of a device on which an image pass of the job's own network takes a second.

    An image pass is one image, once forwards and once backwards through the network. Other networks
    take as many passes of the own one as take as long.
    """
    own = cost_of_an_image(config.network, image_size=config.image_size)
    others = {
        name: cost_of_an_image(config.across(name).network, image_size=config.image_size) / own
        for name in config.other_networks()
    }
    return DeviceBenchmark(
        device="nominal",
        kind="nominal",
        memory_bytes=0,
        shown=1,
        teaching=TimingFit(0.0, gradients_per_step(config)),
        full=TimingFit(0.0, 1.0),
        teachers_at_once=1,
        points=tuple(
            SetTiming(
                batch=images,
                images=images,
                step=MATCHING_PASSES * images,
                epoch=images,
                epoch_fixed=0.0,
                peak_bytes=0,
            )
            for images in (1, 2)
        ),
        across={
            name: (NetworkTiming(images=1, each=cost, fixed=0.0),) for name, cost in others.items()
        },
        covers_images=2**31 - 1,
        steps=config.distillation.syn_steps,
        base_bytes=0,
        parameters=0,
        channels=1,
        forward_operations=0,
        compilation=CompilationCost(
            possible=False, seconds=0.0, saved_per_step=0.0, saved_per_operation=0.0
        ),
        cpu_share=None,
    )
