import pytest
import torch

from iadd.devices import DeviceLostError, watching_device


def test_a_failing_accelerator_is_a_lost_device_and_says_what_is_kept() -> None:
    with (
        pytest.raises(DeviceLostError, match="up to the last checkpoint is kept"),
        watching_device(),
    ):
        raise torch.AcceleratorError("CUDA error: unspecified launch failure\nmore of it")


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("out of memory"), ValueError("shape")])
def test_other_errors_pass_as_they_are(error: Exception) -> None:
    with pytest.raises(type(error)), watching_device():
        raise error
