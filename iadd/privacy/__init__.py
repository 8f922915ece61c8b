"""Audits what a distilled set reveals about the patients behind it.

| | asks | source |
|---|---|---|
| grid | does anything hide beside the grey levels? | |
| A | can the images averaged into a start be found, in it or in the set? | North 1943 |
| B | is the nearest record a training image more often than by chance? | Yao et al. 2505.01524 |
| C | is an image near to one training image alone? It warns. | Lowe 2004 |
| D | is an image a copy, or nearly, once registered? | Carlini et al. 2301.13188 |
| E, F | who was in it, over all, per class and for outliers? | 2112.03570, 2312.03262 |
| G | can an attribute be inferred? Left out: :func:`iadd.privacy.metrics.reidentification`. | |
| H | does another image of the patient lead to it? | Giomi et al., PoPETs 2023 |
| I | is a proven ε the real one? | Steinke et al. 2305.08846 |

A to D and H can refuse a release and never clear one. E and F, in :mod:`iadd.privacy.membership`,
can by their power; a proof of differential privacy can, and I checks it.

    report = iadd.privacy.audit(distilled, images)
    print(report.verdict, report.statement)

`__init__.pyi` lists the public names. Each is loaded at its first use, so that a program that needs
only the arithmetic of an audit loads no torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
