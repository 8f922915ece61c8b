"""Counts the floating point operations (FLOPs) of a computation while it runs."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


def count_flops(function: Callable[[], Any]) -> float:
    """Count the FLOPs of one call, forwards, backwards and differentiated twice.

    FLOPs are the multiplications and additions of convolutions and matrix products by the direct
    algorithm. Compiled code is invisible to the counter: compiled functions run eagerly while it
    counts. Tensors on the ``meta`` device are counted without computing.
    """
    counter = _Counter()
    with torch.compiler.set_stance("force_eager"), counter:
        function()
    return float(counter.flops)


class _Counter(TorchDispatchMode):
    """Intercepts every operation below autograd.

    PyTorch's own ``FlopCounterMode`` has the same formulas, but also hooks on modules, which fail
    for a gradient of a module's direct inputs (θ and the images of the matching loss).
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.flops = 0

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        formula = flop_registry.get(func.overloadpacket)
        if formula is None:
            with self:
                parts = func.decompose(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
        result = func(*args, **kwargs)
        if formula is not None:
            self.flops += formula(*args, **kwargs, out_val=result)
        return result
