"""Looks for planted triggers: patches that make networks answer with a class that the sender chose.

Backdoors survive distillation, and can be put into a distilled set on purpose (arXiv 2301.01197,
arXiv 2502.04229). Three published kinds of test are run, none
of which can clear a set:

1. reverse-engineered triggers (Wang et al. 2019, Neural Cleanse): the smallest patch that turns
   other images into a class, for all networks at once; a class for which it is far smaller than for
   the others is suspicious;
2. spectral signatures (Tran, Li and Madry 2018): features of a class that fall apart into two
   groups along their first principal direction;
3. patches of the images that are odd at their place, or nearly the same in several images, and that
   turn other images into their class when they are pasted there (Chou et al. 2018, SentiNet).

Shapes: M distilled images, K classes, C channels, H = W pixels, V networks, N probes.
"""
