"""Random number generators that depend on a seed and a key, and on nothing that happened before.

A new generator is made for every teacher's epoch and every iteration, from the run's seed and an
rng key that names its use. So a run that resumes needs no saved generator state, and drawing more
in one place changes nothing in another.
"""

import hashlib

import torch

_PRIVATE = 2**63
_WORDS = 624
_FIRST = 24  # Bytes in front of them: seed, left, seeded, next.


def derive_seed(seed: int, *rng_key: str | int) -> int:
    """Derive a 63-bit seed for an rng key: ``derive_seed(0, "teacher", 3)``."""
    text = "/".join(str(part) for part in (seed, *rng_key))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def make_generator(seed: int, *rng_key: str | int) -> torch.Generator:
    """Make a CPU generator for an rng key; drawing on the CPU gives every device equal numbers.

    torch reads 32 bits of a seed, which an attacker can try one by one. So a seed that is no public
    one, of 64 bits and more, fills the whole state of the generator instead.
    """
    generator = torch.Generator().manual_seed(derive_seed(seed, *rng_key))
    if seed < _PRIVATE:
        return generator
    text = "/".join(str(part) for part in (seed, *rng_key))
    words = hashlib.shake_256(text.encode()).digest(4 * _WORDS)
    # The generator's state is that of the Mersenne twister: 624 words of 32 bits in 64-bit cells.
    state = generator.get_state()
    cells = state[_FIRST : _FIRST + 8 * _WORDS].view(torch.int64)
    cells.copy_(torch.frombuffer(bytearray(words), dtype=torch.int32).long() & 0xFFFFFFFF)
    generator.set_state(state)
    return generator
