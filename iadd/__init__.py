"""Importance-Aware Adaptive Dataset Distillation (Li, Togo, Ogawa and Haseyama).

images = iadd.load_images("xrays.zip")
config = iadd.presets.cpu_small()
teachers = iadd.record_trajectories(images, config, out=Path("teachers"))
distilled = iadd.distill(images, teachers, config)
print(iadd.evaluate(distilled, images, config).to_dict())

`__init__.pyi` lists the public names. Each is loaded at its first use, so that a program that needs
only the settings loads no torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
