import pytest
import torch

from iadd.runtime.device import DeviceLostError, watching_device


def test_a_failing_accelerator_is_a_lost_device_and_says_what_is_kept() -> None:
    with (
        pytest.raises(DeviceLostError, match="up to the last checkpoint is kept"),
        watching_device(),
    ):
        raise torch.AcceleratorError("CUDA error: unspecified launch failure\nmore of it")


@pytest.mark.parametrize(
    "text",
    [
        "No CUDA GPUs are available",
        "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED",
        "CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm( handle, ...)`",
        "Triton Error [CUDA]: an illegal memory access was encountered",
    ],
)
def test_the_libraries_on_top_of_cuda_tell_of_it_by_text_alone(text: str) -> None:
    with pytest.raises(DeviceLostError), watching_device():
        raise RuntimeError(text)


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("out of memory"), ValueError("shape"), RuntimeError("shape")]
)
def test_other_errors_pass_as_they_are(error: Exception) -> None:
    with pytest.raises(type(error)), watching_device():
        raise error
