"""Checks that a safetensors file holds the distilled images and nothing else."""

import json
import math

from app.federation.publications.refusal import refuse

LARGEST_HEADER = 1024 * 1024
_TENSORS = {"images": ("F32", 4), "labels": ("I64", 8), "syn_lr": ("F32", 4)}
"""Type and bytes of a number, by name."""


def expect_tensors(content: bytes, images: int, size: int) -> None:
    """A safetensors file: the images, their labels, the learning rate, and no byte beside them."""
    length = int.from_bytes(content[:8], "little")
    if not 2 <= length <= min(LARGEST_HEADER, len(content) - 8):
        refuse("Its tensors cannot be read")
    header = json.loads(content[8 : 8 + length])
    if header.pop("__metadata__", {}) not in ({}, {"format": "pt"}) or set(header) != set(_TENSORS):
        refuse("Its tensors are not those that a bundle has")
    shape = header["images"]["shape"]
    if len(shape) != 4 or shape[0] != images or list(shape[2:]) != [size, size]:
        refuse("Its tensors are of other images than its pictures")
    end = 0
    for name, tensor in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        kind, bytes_each = _TENSORS[name]
        begins, ends = tensor["data_offsets"]
        if tensor["dtype"] != kind or begins != end:
            refuse("Its tensors hold more than it says")
        if ends - begins != bytes_each * math.prod(tensor["shape"]):
            refuse("Its tensors hold more than it says")
        end = ends
    if end != len(content) - 8 - length:
        refuse("Its tensors hold more than it says")
