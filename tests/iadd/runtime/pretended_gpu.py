"""A device that computes nothing: it has shapes and types, and refuses what a GPU refuses.

What is on the CPU stays as it is. What is moved to the device becomes a fake tensor there, which
knows its device, so that an operation on tensors of two devices fails as on a GPU, on any machine.
Numbers that are read back are made up. A process that has called :func:`pretended_gpu` has one
device more for the rest of its life.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._pytree import tree_leaves, tree_map_only
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

NAME = "pretended"

_READ = torch.ops.aten._local_scalar_dense.default  # type: ignore[attr-defined]


class _PretendedGpu(FakeTensorMode):
    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[Any],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        leaves = tree_leaves((args, kwargs))
        is_here = not any(isinstance(one, FakeTensor) for one in leaves) and not any(
            isinstance(one, torch.device) and one.type == NAME for one in leaves
        )
        if is_here:
            return func(*args, **kwargs)
        if func is _READ:
            return torch.ones((), dtype=args[0].dtype).item()
        args, kwargs = tree_map_only(Tensor, self._faked, (tuple(args), dict(kwargs)))
        return super().__torch_dispatch__(func, types, args, kwargs)

    def _faked(self, tensor: Tensor) -> Tensor:
        return tensor if isinstance(tensor, FakeTensor) else self.from_tensor(tensor)


def _move(
    self: nn.Module, device: torch.device | str | None = None, dtype: torch.dtype | None = None
) -> nn.Module:
    # The library's way swaps tensors in place, which fake ones do not allow.
    for module in self.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None:
                moved: Tensor = parameter.detach().to(device=device, dtype=dtype)
                module._parameters[name] = nn.Parameter(moved)
    return self


_tensor = torch.tensor


def _make(data: Any, **settings: Any) -> Tensor:
    # The library's way asks the device for memory, below what can be pretended.
    device = settings.pop("device", "cpu")
    return _tensor(data, **settings).to(device)


@contextmanager
def pretended_gpu() -> Iterator[torch.device]:
    """Pretend within the block that there is one more device."""
    _setup_privateuseone_for_python_backend(NAME)
    with (
        _PretendedGpu(allow_non_fake_inputs=True),
        patch.object(nn.Module, "to", _move),
        patch.object(torch, "tensor", _make),
        patch.object(FakeTensor, "__format__", lambda tensor, how: format(tensor.item(), how)),
    ):
        yield torch.device(NAME)
