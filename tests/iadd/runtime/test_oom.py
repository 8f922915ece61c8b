"""Memory that runs out costs speed, not the run."""

from collections.abc import Callable

import pytest
import torch

from iadd.runtime.oom import Halving, OutOfMemoryError, is_out_of_memory

CPU_MESSAGE = "[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes."  # noqa: E501


def fits(limit: int, kind: type[BaseException] = torch.OutOfMemoryError) -> Callable[[int], int]:
    def work(size: int) -> int:
        if size > limit:
            raise kind(CPU_MESSAGE)
        return size

    return work


def test_the_size_is_halved_until_it_fits_and_stays_there() -> None:
    reports: list[int] = []
    halving = Halving(20, advice="Lower it.", on_halved=reports.append)
    assert halving.run(fits(6)) == 5
    assert reports == [10, 5]
    assert halving.run(fits(6)) == 5
    assert reports == [10, 5]


@pytest.mark.parametrize("kind", [torch.OutOfMemoryError, RuntimeError, MemoryError])
def test_every_way_of_running_out_is_known(kind: type[BaseException]) -> None:
    assert is_out_of_memory(kind(CPU_MESSAGE))
    assert Halving(4, advice="").run(fits(1, kind)) == 1


def test_a_real_allocation_that_is_too_large_is_known() -> None:
    with pytest.raises(RuntimeError) as raised:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(raised.value)


def test_nothing_fits_and_the_setting_is_named() -> None:
    with pytest.raises(OutOfMemoryError, match="Lower width"):
        Halving(8, advice="Lower width.").run(fits(0))


def test_another_error_is_not_taken_for_it() -> None:
    def work(size: int) -> int:
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        Halving(8, advice="").run(work)
