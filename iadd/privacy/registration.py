"""Finds the record that a picture is a copy of, whatever was done to it.

A copy that was shifted, turned, zoomed, mirrored, inverted, blurred or changed in contrast lies far
from its source pixel by pixel. So each picture is registered onto the records before it is compared
(the invariances of Fourier-Mellin registration, Reddy and Chatterji, IEEE TIP 5 (1996)), in two
steps:

1. a search over a grid of turns, zooms, mirrors and shifts, at 18×18 pixels against all records at
   once, by one matrix product per picture;
2. Gauss-Newton on turn, zoom and shift for the best few records, at 32×32 pixels (Baker and
   Matthews, Lucas-Kanade 20 Years On, IJCV 56 (2004)).

What is compared is the part of a picture in which patients differ: it is brought to mean 0 and
norm 1 (so exposure and contrast fall out), the class-free mean picture is projected out, and the
rest is whitened by its covariance over the records. The similarity is the absolute correlation of
two such parts (so polarity falls out): near 0 for different patients, 1 for one picture.

Legend: M pictures, R records, K candidates, G poses, T pixels of a template, D components.
"""

import math
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional as F

WINDOW = 0.8
"""Share of the side that is compared, about the middle: what a shifted copy still shows."""

CANDIDATES = 6
"""Records from the search over poses that a picture is registered onto exactly."""

FINALISTS = 4
"""Of these, how many are followed to the end."""

UPRIGHT = 3
"""Records more, the most similar to the picture as it is, at the finer size: of a blend of two
pictures the search sees the plainer one alone."""

_UPRIGHT_POSE = torch.tensor([[0.0, 0.0, 0.0, 0.0, 1.0]])
_TURNS = (-16.0, -8.0, 0.0, 8.0, 16.0)
_ZOOMS = (0.8, 0.9, 1.0, 1.12, 1.25)
_SHIFTS = (-2, -1, 0, 1, 2)
_STEPS = 4
_STEP = 0.03
_CHUNK = 512
_PRIOR = 500.0
"""Images that the smooth spectrum counts for beside the records' own covariance."""


@dataclass(frozen=True, eq=False)
class Registered:
    """The records that pictures register onto best.

    Attributes:
        index: int64 (M, K), rows of the records.
        similarity: float32 (M, K), 0..1; −1 where a record is left out.
    """

    index: Tensor
    similarity: Tensor

    def best(self) -> Tensor:
        """Return the similarity to the best record, (M,)."""
        return self.similarity.amax(dim=1)

    def nearest(self) -> Tensor:
        """Return the row of the best record, int64 (M,)."""
        return self.index.gather(1, self.similarity.argmax(dim=1, keepdim=True))[:, 0]

    def ranked(self) -> Tensor:
        """Return the rows of the records, the best first, int64 (M, K); one may come twice."""
        return self.index.gather(1, self.similarity.argsort(dim=1, descending=True))

    def ratio(self) -> Tensor:
        """Return the distance (1 − similarity) to the best record over that to the next one, (M,).

        It is 1 where there is no other record.
        """
        nearest, best = self.nearest(), self.best()
        others = torch.where(self.index == nearest[:, None], -1.0, self.similarity).amax(dim=1)
        found = (1.0 - best) / (1.0 - others).clamp(min=1e-6)
        return torch.where(others < 0, 1.0, found)

    def take(self, rows: Tensor) -> "Registered":
        """Return some of the pictures' records."""
        return Registered(self.index[rows], self.similarity[rows])


@dataclass(frozen=True, eq=False)
class Register:
    """Records, made ready to be compared with pictures in any pose.

    Attributes:
        groups: int64 (R,), the unit of each record: a picture is never compared with its own.
        coarse: Templates of the search.
        fine: Templates of the registration.
        poses: (G, 5): turn (radians), zoom (logarithm), shift right and down (half sides), mirror.
        grid: (G, t, t, 2), the poses' sampling points of the search.
    """

    groups: Tensor
    coarse: "_Templates"
    fine: "_Templates"
    poses: Tensor
    grid: Tensor

    @classmethod
    def of(cls, images: Tensor, groups: Tensor | None = None) -> Self:
        """Prepare records.

        Args:
            images: uint8 (R, C, H, W), at least one.
            groups: int64 (R,), their units; by default each is its own.
        """
        size = min(images.shape[-2:])
        coarse = _Templates.of(images, min(18, max(4, round(size * WINDOW))), 196, 1e-3)
        fine = _Templates.of(images, min(32, max(4, round(size * WINDOW))), 512, 1e-4)
        poses = _poses()
        return cls(
            groups=torch.arange(len(images)) if groups is None else groups,
            coarse=coarse,
            fine=fine,
            poses=poses,
            grid=_sampling_points(_affine(poses), coarse.side),
        )

    def find(self, pictures: Tensor, *, own: Tensor | None = None) -> Registered:
        """Register pictures onto the records.

        Args:
            pictures: (M, C, H, W), uint8 or intensities in any range and any contrast.
            own: int64 (M,), a unit to leave out for each picture (its own), −1 for none.
        """
        if len(pictures) == 0:
            return Registered(torch.empty(0, 1, dtype=torch.int64), torch.empty(0, 1))
        found = [
            self._find(chunk, None if own is None else own[start : start + len(chunk)])
            for start, chunk in zip(
                range(0, len(pictures), _CHUNK // 8), pictures.split(_CHUNK // 8), strict=True
            )
        ]
        return Registered(
            torch.cat([one.index for one in found]), torch.cat([one.similarity for one in found])
        )

    def _find(self, pictures: Tensor, own: Tensor | None) -> Registered:
        index, pose = self._search(pictures, own)
        similarity = self._refine(pictures, index, pose)
        if own is not None:
            similarity[self.groups[index] == own[:, None]] = -1.0
        return Registered(index, similarity)

    def _search(self, pictures: Tensor, own: Tensor | None) -> tuple[Tensor, Tensor]:
        """Find the best records and their poses, (M, K) and (M, K, 5)."""
        kept = min(CANDIDATES, len(self.groups))
        small = self.coarse.reduce(pictures)
        direct, straight = self._upright(pictures, own)
        index = torch.empty(len(pictures), kept, dtype=torch.int64)
        pose = torch.empty(len(pictures), kept, 5)
        for row in range(len(pictures)):
            posed = self.coarse.describe_in(small[row], self.grid)
            best, which = (posed @ self.coarse.records.T).abs_().max(dim=0)
            if own is not None:
                best[self.groups == own[row]] = -1.0
            index[row] = best.topk(kept).indices
            pose[row] = self.poses[which[index[row]]]
        return torch.cat([index, direct], dim=1), torch.cat([pose, straight], dim=1)

    def _upright(self, pictures: Tensor, own: Tensor | None) -> tuple[Tensor, Tensor]:
        """Find the records most similar to the pictures as they are."""
        upright = _UPRIGHT_POSE.expand(len(pictures), -1)
        similarity = (
            self.fine.describe(self.fine.reduce(pictures), _affine(upright)) @ self.fine.records.T
        ).abs_()
        if own is not None:
            similarity[self.groups == own[:, None]] = -1.0
        index = similarity.topk(min(UPRIGHT, len(self.groups)), dim=1).indices
        return index, upright[:, None].expand(-1, index.shape[1], -1)

    def _refine(self, pictures: Tensor, index: Tensor, pose: Tensor) -> Tensor:
        """Adapt turn, zoom and shift of each pair, and return its similarity, (M, K).

        After the first step only the `FINALISTS` of each picture go on.
        """
        small = self.fine.reduce(pictures)
        picture = torch.arange(len(pictures))[:, None].expand_as(index)
        pairs = _Pairs.of(
            self.fine, small, picture.flatten(), index.flatten(), pose.flatten(0, 1)
        ).stepped()
        similarity = pairs.similarity.view(index.shape)
        leading = similarity.topk(min(FINALISTS, index.shape[1]), dim=1).indices
        chosen = (leading + torch.arange(len(index))[:, None] * index.shape[1]).flatten()
        finalists = pairs.take(chosen)
        for _ in range(_STEPS - 1):
            finalists = finalists.stepped()
        return similarity.scatter(1, leading, finalists.similarity.view(leading.shape)).clamp(max=1)


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Pictures on their way onto records, P pairs: one step is one of Gauss-Newton, damped.

    Attributes:
        templates: The records.
        small: (M, 1, s, s), the pictures.
        picture: int64 (P,), rows of `small`.
        target: (P, D), the records' templates, in the pictures' polarity.
        parameters: (P, 4), turn, zoom, shifts.
        mirror: (P, 1).
        described: (P, D), the pictures in their present pose.
        similarity: (P,).
        damping: (P,).
    """

    templates: "_Templates"
    small: Tensor
    picture: Tensor
    target: Tensor
    parameters: Tensor
    mirror: Tensor
    described: Tensor
    similarity: Tensor
    damping: Tensor

    @classmethod
    def of(
        cls, templates: "_Templates", small: Tensor, picture: Tensor, record: Tensor, pose: Tensor
    ) -> Self:
        described = templates.describe(small[picture], _affine(pose))
        target = templates.records[record]
        similarity = (described * target).sum(dim=1)
        return cls(
            templates=templates,
            small=small,
            picture=picture,
            target=target * torch.where(similarity < 0, -1.0, 1.0)[:, None],
            parameters=pose[:, :4],
            mirror=pose[:, 4:],
            described=described,
            similarity=similarity.abs(),
            damping=torch.full_like(similarity, 0.05),
        )

    def take(self, rows: Tensor) -> Self:
        """Return some of the pairs."""
        changed = {
            name: getattr(self, name)[rows]
            for name in ("picture", "target", "parameters", "mirror", "described")
        }
        return replace(
            self, similarity=self.similarity[rows], damping=self.damping[rows], **changed
        )

    def _at(self, parameters: Tensor) -> Tensor:
        pose = _affine(torch.cat([parameters, self.mirror], dim=1))
        return self.templates.describe(self.small[self.picture], pose)

    def stepped(self) -> Self:
        """Move towards the records, where that makes a pair more similar."""
        slopes = torch.stack(
            [
                (self._at(self.parameters + step) - self._at(self.parameters - step)) / 2.0
                for step in torch.eye(4) * _STEP
            ],
            dim=2,
        )
        normal = slopes.transpose(1, 2) @ slopes
        damped = normal.diagonal(dim1=1, dim2=2) * self.damping[:, None] + 1e-6
        aim = (slopes * (self.target - self.described)[:, :, None]).sum(dim=1)
        move = torch.linalg.solve(normal + torch.diag_embed(damped), aim).clamp(-4.0, 4.0)
        trial = self.parameters + move * _STEP
        tried = self._at(trial)
        reached = (tried * self.target).sum(dim=1)
        better = reached > self.similarity
        return replace(
            self,
            parameters=torch.where(better[:, None], trial, self.parameters),
            described=torch.where(better[:, None], tried, self.described),
            similarity=torch.where(better, reached, self.similarity),
            damping=torch.where(better, self.damping * 0.3, self.damping * 10.0),
        )


@dataclass(frozen=True, eq=False)
class _Templates:
    """Pictures at one size, reduced to what tells patients apart.

    Attributes:
        side: Side of the template in pixels, of the middle of the picture.
        mean: (T,), of norm 1: the mean picture.
        whitening: (T, D).
        records: (R, D), rows of norm 1.
    """

    side: int
    mean: Tensor
    whitening: Tensor
    records: Tensor

    @classmethod
    def of(cls, images: Tensor, side: int, components: int, floor: float) -> Self:
        upright = _affine(_UPRIGHT_POSE)
        plain = torch.cat(
            [
                _sample(_reduce(chunk, side), upright.expand(len(chunk), -1, -1), side)
                for chunk in images.split(_CHUNK)
            ]
        )
        mean = F.normalize(plain.mean(dim=0), dim=0)
        rest = plain - (plain @ mean)[:, None] * mean
        values, vectors = torch.linalg.eigh(_covariance(rest, side).double())
        values = values.flip(0)[:components].float().clamp(min=0.0)
        vectors = vectors.flip(1)[:, :components].float()
        whitening = vectors / (values + floor * values[0].clamp(min=1e-12)).sqrt()
        return cls(side, mean, whitening, F.normalize(rest @ whitening, dim=1))

    def reduce(self, pictures: Tensor) -> Tensor:
        return _reduce(pictures, self.side)

    def describe(self, small: Tensor, maps: Tensor) -> Tensor:
        """Describe reduced pictures in their poses, (M, D), rows of norm 1."""
        return self._whiten(_sample(small, maps, self.side))

    def describe_in(self, small: Tensor, grid: Tensor) -> Tensor:
        """Describe one reduced picture (1, s, s) in all poses of a grid (G, t, t, 2): (G, D)."""
        points = grid.view(1, 1, -1, 2)
        cut = F.grid_sample(
            small[None], points, mode="bilinear", padding_mode="border", align_corners=False
        )
        return self._whiten(_normalise(cut.view(len(grid), -1)))

    def _whiten(self, template: Tensor) -> Tensor:
        rest = template - (template @ self.mean)[:, None] * self.mean
        return F.normalize(rest @ self.whitening, dim=1)


def _covariance(rest: Tensor, side: int) -> Tensor:
    """Estimate the covariance, drawn to one that depends on spatial frequency alone.

    A few hundred records say little of a thousand pixels' covariance; that of natural pictures is
    smooth in frequency (the cosine transform diagonalises it almost), which they say well.
    """
    cosines = _cosine_transform(side)
    spectrum = torch.einsum("ij,njk,lk->nil", cosines, rest.unflatten(1, (side, side)), cosines)
    power = spectrum.square().mean(dim=0)
    frequency = torch.arange(side, dtype=torch.float32)
    ring = (frequency[:, None].square() + frequency.square()).sqrt().round().long().flatten()
    total = torch.zeros(int(ring.max()) + 1).scatter_add_(0, ring, power.flatten())
    smooth = (total / torch.bincount(ring).clamp(min=1))[ring]
    basis = torch.kron(cosines, cosines)
    own = rest.T @ rest
    return (own + _PRIOR * (basis.T * smooth) @ basis) / (len(rest) + _PRIOR)


def _cosine_transform(side: int) -> Tensor:
    """Make the orthonormal DCT-II matrix, one frequency per row."""
    position = torch.arange(side) + 0.5
    matrix = torch.cos(math.pi * torch.arange(side)[:, None] * position / side)
    matrix[0] /= math.sqrt(2.0)
    return matrix * math.sqrt(2.0 / side)


def _poses() -> Tensor:
    shift = torch.tensor(_SHIFTS, dtype=torch.float32) * (2.0 * WINDOW / 14.0)
    return torch.cartesian_prod(
        torch.deg2rad(torch.tensor(_TURNS)),
        torch.tensor(_ZOOMS).log(),
        shift,
        shift,
        torch.tensor([1.0, -1.0]),
    )


def _affine(poses: Tensor) -> Tensor:
    """Turn poses (G, 5) into maps from the template's to the picture's coordinates, (G, 2, 3)."""
    turn, zoom, right, down, mirror = poses.unbind(dim=1)
    scale = zoom.exp() * WINDOW
    cosine, sine = turn.cos() * scale, turn.sin() * scale
    return torch.stack(
        [
            torch.stack([cosine * mirror, -sine, right], dim=1),
            torch.stack([sine * mirror, cosine, down], dim=1),
        ],
        dim=1,
    )


def _reduce(pictures: Tensor, side: int) -> Tensor:
    grey = pictures.float().mean(dim=1, keepdim=True)
    size = max(side, round(side / WINDOW))
    return F.interpolate(
        grey, size=(size, size), mode="bilinear", align_corners=False, antialias=True
    )


def _sample(small: Tensor, maps: Tensor, side: int) -> Tensor:
    """Cut templates out of pictures, (N, T), each of mean 0 and norm 1."""
    cut = F.grid_sample(
        small,
        _sampling_points(maps, side),
        mode="bilinear",
        padding_mode="border",
        align_corners=False,
    )
    return _normalise(cut.flatten(1))


def _sampling_points(maps: Tensor, side: int) -> Tensor:
    return F.affine_grid(maps, [len(maps), 1, side, side], align_corners=False)


def _normalise(template: Tensor) -> Tensor:
    return F.normalize(template - template.mean(dim=1, keepdim=True), dim=1)
