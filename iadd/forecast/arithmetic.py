"""From a device benchmark to the seconds, memory and disk of a job; without torch.

The portal, the workers and ``iadd forecast`` all calculate with this module. What a job takes is
the time of a step, measured once for a kind of job (:mod:`iadd.forecast.device_benchmark`), times
the number of steps (:mod:`iadd.counts`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from iadd.config import MOST_CROSS_NETWORKS, Config
from iadd.counts import (
    PASSES_OF_MATCHING,
    PASSES_OF_TRAINING,
    SHARE_BY_HAND,
    WORTH_COMPILING,
    condensing_passes,
    images_per_epoch,
    is_by_hand,
    kept_bytes,
    kept_steps,
    matching_batch,
    matching_passes,
    matching_steps,
    seconds_saved_by_hand,
    teaching_passes,
    teaching_steps,
    validations,
)

LEAST_CPU_SHARE = 0.4
"""With less of its threads' time than this, what a benchmark measured is slower than it may be."""


PRIVATE_TIMES = 1.2
"""A private teacher over the measured one, which has no gradients of single images: 1.10 with
batches of 256, 1.34 with batches of 64 (``python -m benchmarks.private_teacher``, one thread)."""


@dataclass(frozen=True)
class TimingFit:
    """Seconds of a call: ``fixed + each · units``."""

    fixed: float
    each: float

    def seconds(self, units: float, calls: float = 1) -> float:
        """Seconds of so many units, done in so many calls."""
        return self.fixed * calls + self.each * units


@dataclass(frozen=True, kw_only=True)
class SetTiming:
    """A student step, and an epoch of one network, at one size of the distilled set.

    Attributes:
        batch: Distilled images per student step.
        images: Distilled images in all.
        step: Seconds of a student step.
        epoch: Seconds of an epoch of one network on the distilled set.
        epoch_fixed: Seconds that a network takes besides its epochs.
        peak_bytes: The most memory during both.
    """

    batch: int
    images: int
    step: float
    epoch: float
    epoch_fixed: float
    peak_bytes: int


@dataclass(frozen=True, kw_only=True)
class NetworkTiming:
    """An epoch of another network on a distilled set.

    Attributes:
        images: Distilled images of the epoch: of a set that takes long, a part.
        each: Seconds of an epoch.
        fixed: Seconds that a network takes besides its epochs.
    """

    images: int
    each: float
    fixed: float


@dataclass(frozen=True, kw_only=True)
class CompilationCost:
    """What compiling costs and saves on a device.

    Attributes:
        possible: Whether the machine has what compiling needs.
        seconds: What compiling takes, nothing cached.
        saved_per_step: Seconds that it saves of each step.
        saved_per_operation: Seconds that it saves of each floating point operation.
    """

    possible: bool
    seconds: float
    saved_per_step: float
    saved_per_operation: float


@dataclass(frozen=True, kw_only=True)
class DeviceBenchmark:
    """How fast one device takes the steps of one kind of job.

    Attributes:
        device: What the device calls itself.
        kind: ``cpu`` or ``cuda``.
        memory_bytes: What it has.
        shown: Images of a measured epoch of a teacher, or of a network on the full data.
        teaching: Timing of a teacher's epochs over so many images.
        full: Timing of one network's epochs over so many images.
        teachers_at_once: Teachers that were trained together.
        points: The student step at two sizes of the distilled set, the smaller first.
        across: By other network that the set is tried with, an epoch at one size or two.
        covers_images: The largest distilled set that it tells of.
        steps: J of the measured iterations.
        base_bytes: The most memory while teachers, networks on the full data and other networks
            were trained.
        parameters: P.
        channels: C.
        forward_operations: Floating point operations of one image's forward pass.
        compilation: What compiling costs and saves.
        cpu_share: Share of the threads' time that the measuring process had: on a CPU that other
            processes use, what was measured is slower than the job may be. None on a GPU.
    """

    device: str
    kind: str
    memory_bytes: int
    shown: int
    teaching: TimingFit
    full: TimingFit
    teachers_at_once: int
    points: tuple[SetTiming, ...]
    across: Mapping[str, tuple[NetworkTiming, ...]] = field(default_factory=dict)
    covers_images: int
    steps: int
    base_bytes: int
    parameters: int
    channels: int
    forward_operations: int
    compilation: CompilationCost
    cpu_share: float | None

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Read what ``dataclasses.asdict`` and JSON made of one."""
        read = {
            "teaching": TimingFit(**document["teaching"]),
            "full": TimingFit(**document["full"]),
            "points": tuple(SetTiming(**point) for point in document["points"]),
            "across": {
                network: tuple(NetworkTiming(**timing) for timing in timings)
                for network, timings in document.get("across", {}).items()
            },
            "compilation": CompilationCost(**document["compilation"]),
        }
        return cls(**{**document, **read})

    @property
    def was_disturbed(self) -> bool:
        """Whether other processes had most of the CPU while it was measured."""
        return self.cpu_share is not None and self.cpu_share < LEAST_CPU_SHARE

    def step(self, batch: int) -> float:
        """Seconds of a student step with so many distilled images."""
        return _on_line([(point.batch, point.step) for point in self.points], batch)

    def epoch(self, images: int) -> TimingFit:
        """Timing of one network's epochs on a distilled set of so many images."""
        each = _on_line([(point.images, point.epoch) for point in self.points], images)
        fixed = _on_line([(point.images, point.epoch_fixed) for point in self.points], images)
        return TimingFit(fixed, each)

    def epoch_across(self, network: str, images: int) -> TimingFit:
        """Timing of another network's epochs on a distilled set of so many images."""
        timings = self.across[network]
        if len(timings) == 1:  # a part of a larger set
            each = timings[0].each * images / timings[0].images
        else:
            each = _on_line([(timing.images, timing.each) for timing in timings], images)
        return TimingFit(timings[-1].fixed, each)

    def saved(self, *, passes: int, steps: int) -> float:
        """Seconds that compiled steps save.

        Args:
            passes: Forward passes of one image that the steps are worth.
            steps: How many there are.
        """
        cost, operations = self.compilation, passes * self.forward_operations
        return steps * cost.saved_per_step + operations * cost.saved_per_operation

    def compiles(self, setting: str, saved: float) -> bool:
        """Whether steps are compiled that save so many seconds by it."""
        pays = setting == "always" or saved >= WORTH_COMPILING * self.compilation.seconds
        return setting != "never" and self.compilation.possible and pays

    def compiled(
        self, setting: str, eager: float, *, saved: float, share: float | None = None
    ) -> tuple[float, float]:
        """Seconds of steps, and of compiling them; as eager, and 0, where they are not compiled.

        Args:
            setting: ``compilation`` of the settings.
            eager: Seconds of the steps when they are not compiled.
            saved: Seconds that compiled steps save by count, which decides.
            share: Of the eager time that they take, where it is known.
        """
        cost = self.compilation
        if not self.compiles(setting, saved):
            return eager, 0.0
        if share is not None:
            return eager * share, cost.seconds
        # Whatever the count says, half of the time remains.
        return max(eager - saved, eager / 2), cost.seconds


def _on_line(points: Sequence[tuple[int, float]], x: int) -> float:
    """On the line through the outer points; more images never take less."""
    (left, low), (right, high) = points[0], points[-1]
    if left == right:
        return high
    slope = max(0.0, (high - low) / (right - left))
    # From the larger: of a step it is the better measured, being the longer.
    return max(high + slope * (x - right), low * min(1.0, x / left))


@dataclass(frozen=True, kw_only=True)
class Job:
    """What there is to do: the settings, and the images that they meet.

    Attributes:
        config: Settings of the job.
        classes: How many there are.
        train: Training images.
        per_epoch: Training images that a teacher sees in an epoch.
        validation: Validation images.
        test: Test images.
        condensing_passes: Forward passes of one image that the comparisons with real images take.
    """

    config: Config
    classes: int
    train: int
    per_epoch: int
    validation: int
    test: int
    condensing_passes: int = 0

    @classmethod
    def of(cls, config: Config, counts: Mapping[str, Mapping[str, int]]) -> Self:
        """A job on a dataset, given its images per class and split."""
        train, validation, test = (
            {name: splits.get(split, 0) for name, splits in counts.items()}
            for split in ("train", "validation", "test")
        )
        return cls(
            config=config,
            classes=len(counts),
            train=sum(train.values()),
            per_epoch=images_per_epoch(config, train),
            condensing_passes=condensing_passes(config, train),
            validation=sum(validation.values()),
            test=sum(test.values()),
        )

    @property
    def distilled(self) -> int:
        """Distilled images in all."""
        return self.config.distillation.images_per_class * self.classes

    @property
    def batch(self) -> int:
        """Distilled images per student step."""
        return matching_batch(self.config, self.classes)

    @property
    def in_memory(self) -> int:
        """Distilled images of a student step that are in memory at once."""
        return min(self.config.distillation.micro_batch_size or self.batch, self.batch)


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What a job will take on one device.

    Attributes:
        teaching: Seconds of all teachers, one after the other or in groups.
        distilling: Seconds of the iterations, without validations.
        validating: Seconds of the evaluations on the validation split.
        evaluating: Seconds of the figures of the distilled set and of the random sets.
        full_evaluating: Seconds of the figure of the full data.
        cross_evaluating: Seconds of the figures of the other networks; 0 without.
        auditing: Seconds of the repetitions of the run that the audit attacks; 0 without.
        compiling_teachers: Seconds of ``compiling`` that are for the teachers' step.
        compiling: Seconds that compilation takes at most, nothing cached; 0 without.
        compilation: Whether the matching step will be compiled, in a sentence; may be empty.
        peak_bytes: The most memory: of the process on a CPU, of the tensors on a GPU.
        disk_bytes: Trajectories, checkpoint and distilled set.
        device: Where it was measured.
    """

    teaching: float
    distilling: float
    validating: float
    evaluating: float
    full_evaluating: float
    cross_evaluating: float
    auditing: float = 0.0
    compiling_teachers: float
    compiling: float
    compilation: str = ""
    peak_bytes: int
    disk_bytes: int
    device: str

    @property
    def phases(self) -> dict[str, float]:
        """Seconds by what is computed, in the order of a job."""
        order = ("teaching", "compiling", "distilling", "validating")
        figures = ("evaluating", "full_evaluating", "cross_evaluating")
        return {name: getattr(self, name) for name in (*order, *figures, "auditing")}

    @property
    def statuses(self) -> dict[str, float]:
        """Seconds by status of a distillation, for those that take long."""
        compiling = self.compiling - self.compiling_teachers
        return {
            "teaching": self.teaching + self.compiling_teachers,
            "distilling": self.distilling + compiling + self.validating,
            "evaluating": self.evaluating + self.full_evaluating + self.cross_evaluating,
            # Attacks on the run itself do not take long.
            **({"auditing": self.auditing} if self.auditing else {}),
        }

    @property
    def seconds(self) -> float:
        """Seconds of the whole job."""
        return sum(self.phases.values())

    def to_dict(self) -> dict[str, Any]:
        """As JSON knows it, with the sum."""
        return asdict(self) | {"seconds": self.seconds}


def forecast_job(benchmark: DeviceBenchmark, job: Job) -> Forecast:
    """Calculate what a whole job takes on this device, one phase after the other."""
    config = job.config
    teacher, distillation = config.teacher, config.distillation
    teaching, compiling_teachers = benchmark.compiled(
        config.compute.compilation,
        benchmark.teaching.seconds(
            teacher.teacher_epochs * teacher.teachers * job.per_epoch / benchmark.shown,
            calls=teacher.teachers / benchmark.teachers_at_once,
        ),
        saved=benchmark.saved(
            passes=teacher.teachers * teaching_passes(config, job.per_epoch),
            steps=teacher.teachers * teaching_steps(config, job.per_epoch),
        ),
    )
    if config.protection.privacy == "dp":
        canaries = config.protection.canaries * teacher.teacher_epochs * teacher.teachers
        teaching = PRIVATE_TIMES * teaching + benchmark.teaching.seconds(canaries / benchmark.shown)
    passes, by_hand = matching_passes(config, job.classes), is_by_hand(config, benchmark.kind)
    distilling, compiling = benchmark.compiled(
        config.compute.compilation,
        # Of a truncated recursion fewer steps are differentiated than are taken.
        benchmark.step(job.batch) * passes / (PASSES_OF_MATCHING * job.batch),
        saved=seconds_saved_by_hand(config, channels=benchmark.channels, classes=job.classes)
        if by_hand
        else benchmark.saved(passes=passes, steps=matching_steps(config)),
        share=SHARE_BY_HAND if by_hand else None,
    )
    condensing = job.condensing_passes * _prediction(benchmark)
    networks = validations(config) * distillation.validation_networks
    learning = benchmark.epoch(job.distilled).seconds(config.evaluation.evaluation_epochs)
    figures = figure_seconds(benchmark, job)
    if config.protection.privacy == "dp":
        # The networks of the noisy score are trained by themselves.
        figures["", "noisy"] = figures["", "distilled"]
    return Forecast(
        teaching=teaching,
        distilling=distilling + condensing,
        validating=networks * (learning + job.validation * _prediction(benchmark)),
        evaluating=sum(
            figures.get(("", name), 0.0) for name in ("distilled", "noisy", "start", "random")
        ),
        full_evaluating=figures["", "full"],
        cross_evaluating=sum(seconds for (other, _), seconds in figures.items() if other),
        auditing=repetitions(config)
        * (teaching + distilling + condensing + _attacked(benchmark, job)),
        compiling_teachers=compiling_teachers,
        compiling=compiling_teachers + compiling,
        peak_bytes=peak_bytes(benchmark, job),
        disk_bytes=disk_bytes(benchmark, job),
        device=benchmark.device,
    )


def repetitions(config: Config) -> int:
    """Times that the whole run is repeated for its audit; a run with a proof never is."""
    if config.protection.privacy == "dp":
        return 0
    return config.audit.audit_calibration_runs + config.audit.audit_test_runs


def _attacked(benchmark: DeviceBenchmark, job: Job) -> float:
    """Seconds of the students on one repetition's distilled set, which score all that is real."""
    students = job.config.audit.audit_students
    learning = benchmark.epoch(job.distilled).seconds(job.config.evaluation.evaluation_epochs)
    scored = job.train + job.validation
    return students * (learning + scored * _prediction(benchmark))


def figure_seconds(benchmark: DeviceBenchmark, job: Job) -> dict[tuple[str, str], float]:
    """Calculate the time of each figure of an evaluation.

    Rates that are tried beyond ``baseline_lrs`` (:mod:`iadd.evaluation.learning_rate`) are not
    foreseen: each adds ``validation_networks`` trainings to its figure.

    Returns:
        By network (empty for the job's own) and what is trained on: ``distilled``, ``random`` and,
        of the own network alone, ``start`` and ``full``.
    """
    evaluation, prediction = job.config.evaluation, _prediction(benchmark)
    networks, rates = evaluation.evaluation_networks, len(evaluation.baseline_lrs)

    def figure(timing: TimingFit, prediction: float, networks: int, rates: int) -> float:
        """Networks on a small set, and the trials of the learning rates that they choose from."""
        trials = rates * job.config.distillation.validation_networks
        learning = timing.seconds(evaluation.evaluation_epochs)
        images = networks * job.test + trials * job.validation
        return (networks + trials) * learning + images * prediction

    own = benchmark.epoch(job.distilled)
    epochs = evaluation.full_epochs * job.train / benchmark.shown
    seconds = {
        ("", "distilled"): figure(own, prediction, networks, 0),
        ("", "start"): figure(own, prediction, networks, rates),
        ("", "random"): figure(own, prediction, networks, rates),
        ("", "full"): networks * (benchmark.full.each * epochs + job.test * prediction),
    }
    few = min(networks, MOST_CROSS_NETWORKS)
    for network in benchmark.across:
        timing = benchmark.epoch_across(network, job.distilled)
        other = timing.each / job.distilled / PASSES_OF_TRAINING
        # For the distilled set α is one more rate to try.
        seconds[network, "distilled"] = figure(timing, other, few, rates + 1)
        seconds[network, "random"] = figure(timing, other, few, rates)
    return seconds


def _prediction(benchmark: DeviceBenchmark) -> float:
    """Seconds of predicting one image: the first of the three passes of learning from it."""
    return benchmark.full.each / benchmark.shown / PASSES_OF_TRAINING


def peak_bytes(benchmark: DeviceBenchmark, job: Job) -> int:
    """The most memory: of the process on a CPU, of the tensors on a GPU."""
    points = [(point.batch, float(point.peak_bytes)) for point in benchmark.points]
    measured = max(float(benchmark.base_bytes), _on_line(points, job.in_memory))
    # What the job holds and the benchmark did not: more images, and more vectors θ_j.
    images = max(job.train + job.validation + job.test - benchmark.shown, 0)
    pixels = images * benchmark.channels * job.config.image_size**2
    thetas = 4 * benchmark.parameters * (job.config.distillation.syn_steps - benchmark.steps)
    return round(measured) + pixels + thetas + _kept_by_steps(benchmark, job)


def _kept_by_steps(benchmark: DeviceBenchmark, job: Job) -> int:
    """Memory of the activations that compiled steps keep; the benchmark's steps are eager."""
    config, shape = job.config, {"channels": benchmark.channels, "classes": job.classes}
    saved = seconds_saved_by_hand(config, **shape)
    by_hand = is_by_hand(config, benchmark.kind)
    if not (by_hand and benchmark.compiles(config.compute.compilation, saved)):
        return 0
    return kept_bytes(config, **shape) * job.batch * kept_steps(config, **shape)


def disk_bytes(benchmark: DeviceBenchmark, job: Job) -> int:
    """Trajectories, the checkpoint of the distillation, and the distilled set."""
    parameters, teacher = benchmark.parameters, job.config.teacher
    images = job.distilled * benchmark.channels * job.config.image_size**2
    trajectories = teacher.teachers * (teacher.teacher_epochs + 1) * parameters
    # A checkpoint holds the images four times (as they are, averaged, moving, the best) and a
    # vector for W and for the mean difference; the result its start too, and W.
    checkpoint = 4 * images + 2 * parameters
    return 4 * (trajectories + checkpoint + 2 * images + parameters)
