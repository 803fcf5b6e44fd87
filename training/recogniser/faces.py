"""Which faces are trained on, and which of them come in a batch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from inference.pipeline.faces import Pixels
from training.data.store import PreparedSet
from training.errors import TrainingError

NOBODY = -1


@dataclass(frozen=True, slots=True)
class Chosen:
    """The faces of a batch."""

    crops: Sequence[Pixels]
    """(STORED_CROP, STORED_CROP, 3) each."""
    people: NDArray[np.int64]
    """(n,): the number of each person with several images, NOBODY for all others."""
    identities: NDArray[np.int64]
    """(n,): who it is, equal for images of one person; an image without a name is its own."""
    by_person: int = 0
    """So many of the first were chosen by person, the rest from all."""


@dataclass(frozen=True, slots=True)
class Mixture:
    """What a batch is made of."""

    people: int = 16
    """People with a name and more than one image …"""
    images_each: int = 3
    """… and how many images of each."""
    others: int = 80
    """Faces of any set."""
    named_share: float = 0.35
    """Of the others: how many are from sets with names."""

    @property
    def size(self) -> int:
        """Faces of a batch."""
        return self.people * self.images_each + self.others


class TrainingFaces:
    """The crops of all sets that are not held out."""

    def __init__(self, sets: Sequence[PreparedSet], mixture: Mixture) -> None:
        """Raises TrainingError if there is nothing to train on."""
        self._sets = sets
        self._mixture = mixture
        self._identity: dict[tuple[int, int], int] = {}
        identity_of: dict[object, int] = {}
        self._named: list[tuple[int, int]] = []
        self._nameless: list[tuple[int, int]] = []
        by_person: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for number, one in enumerate(sets):
            held_out = one.held_out
            for crop, image in enumerate(one.crop_image.tolist()):
                if held_out[image]:
                    continue
                person = one.about["people"][image]
                who = (number, crop) if person is None else person
                self._identity[number, crop] = identity_of.setdefault(who, len(identity_of))
                if person is None:
                    self._nameless.append((number, crop))
                else:
                    self._named.append((number, crop))
                    by_person[person].append((number, crop))
        self.people = sorted(name for name, crops in by_person.items() if len(crops) > 1)
        """Those with more than one image; their place here is their number."""
        self._crops_of = [by_person[name] for name in self.people]
        self._number = {name: number for number, name in enumerate(self.people)}
        if not self._named and not self._nameless:
            raise TrainingError(
                "no faces to train on: prepare sets first (python -m training.data)"
            )

    def __len__(self) -> int:
        return len(self._named) + len(self._nameless)

    def batch(self, rng: Generator) -> Chosen:
        """The faces of one batch: first those of the people, then the others."""
        places: list[tuple[int, int]] = []
        if self.people:
            for person in rng.choice(len(self.people), self._mixture.people):
                crops = self._crops_of[person]
                # Fewer images than asked for: some come twice, in different views.
                is_repeating = len(crops) < self._mixture.images_each
                drawn = rng.choice(len(crops), self._mixture.images_each, replace=is_repeating)
                places += [crops[place] for place in drawn]
        by_person = len(places)
        while len(places) < self._mixture.size:
            wants_name = rng.random() < self._mixture.named_share
            pool = self._named if wants_name else self._nameless
            pool = pool or self._named or self._nameless
            places.append(pool[int(rng.integers(len(pool)))])
        return self._chosen(places, by_person)

    def sample(self, count: int, rng: Generator) -> Chosen:
        """Some faces of all, each at most once."""
        every = [*self._named, *self._nameless]
        places = [every[place] for place in rng.permutation(len(every))[:count]]
        return self._chosen(places, 0)

    def faces_of(self, person: int, most: int) -> Sequence[Pixels]:
        """Up to so many crops of a person, by number."""
        return [self._sets[one].crops[crop] for one, crop in self._crops_of[person][:most]]

    def _chosen(self, places: Sequence[tuple[int, int]], by_person: int) -> Chosen:
        crops = [self._sets[one].crops[crop] for one, crop in places]
        identities = np.array([self._identity[place] for place in places], np.int64)
        return Chosen(crops, self._people_of(places), identities, by_person)

    def _people_of(self, places: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
        numbers = []
        for one, crop in places:
            name = self._sets[one].about["people"][int(self._sets[one].crop_image[crop])]
            numbers.append(NOBODY if name is None else self._number.get(name, NOBODY))
        return np.array(numbers, np.int64)
