"""The training of the recogniser: what one step does, and what is kept of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import nn

from inference.pipeline.faces import Pixels
from training.data.label import middle
from training.evaluate.verification import HeldOutFaces, verify
from training.loop.average import Average
from training.loop.checkpoint import State
from training.loop.optimiser import adamw, set_rate
from training.loop.schedule import Schedule
from training.recogniser import views
from training.recogniser.faces import NOBODY, TrainingFaces
from training.recogniser.losses import UNKNOWN, MarginHead, direction_loss, similarity_loss
from training.recogniser.network import EMBEDDING, Recogniser, embed, to_input
from training.recogniser.published import settle
from training.straightener.network import STRAIGHTENER, Straightener, behind
from training.teacher import Teacher

FIT_FACES = 4000
STRAIGHT_SPREAD = 0.25
"""How far views are moved for the teacher where the student's are put straight: it is to learn what
the teacher says of straight ones."""
FACES_OF_A_CENTRE = 4


@dataclass(frozen=True, slots=True)
class Weights:
    """Of the losses, and of mixed faces among those without a name in the batch."""

    similarity: float = 20.0
    margin: float = 0.05
    mixed: float = 0.25
    decay: float = 0.02
    """AdamW's, of matrices and kernels."""


class RecogniserTask:
    """Distillation of a teacher into a `Recogniser`."""

    def __init__(
        self,
        network: Recogniser,
        faces: TrainingFaces,
        held_out: HeldOutFaces,
        teacher: Teacher,
        schedule: Schedule,
        *,
        batch: int,
        seed: int,
        weights: Weights = Weights(),  # frozen
        straightener: Straightener | None = None,
    ) -> None:
        """straightener: trained; put before the network, and not trained on."""
        self.samples_a_step = batch
        self._faces = faces
        self._held_out = held_out
        self._teacher = teacher
        self._schedule = schedule
        self._seed = seed
        self._weights = weights
        self._straightener = straightener
        if straightener is not None:
            straightener.eval().requires_grad_(requires_grad=False)
        # Channels last, and bfloat16 in the products: 6.5 ms an image instead of 14.0 on one core
        # with AVX-512 bf16 and no AMX.
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks it
        self.projection = nn.Linear(EMBEDDING, teacher.dim, bias=False)
        self.margin = MarginHead(max(1, len(faces.people)), EMBEDDING)
        self._learned = nn.ModuleList([self.network, self.projection, self.margin])
        self._optimiser = adamw(self._learned.parameters(), schedule.peak, weights.decay)
        self.average = Average(self.network)

    def begin_from_network(self) -> None:
        """Fit the projection and the people's centres to what the network gives already.

        Else a network that starts from weights of its own would be torn about by heads that start
        from noise.
        """
        some = self._faces.sample(FIT_FACES, np.random.default_rng(self._seed))
        crops = middle(np.stack(some.crops))
        network = behind(self._straightener, self.network)
        own = embed(network, torch.from_numpy(crops))
        its = torch.from_numpy(self._teacher.embed(crops))
        fitted = torch.linalg.lstsq(own, its).solution
        with torch.no_grad():
            self.projection.weight.copy_(fitted.T)
            for person in range(len(self._faces.people)):
                own_crops = middle(np.stack(self._faces.faces_of(person, FACES_OF_A_CENTRE)))
                self.margin.weight[person] = embed(network, torch.from_numpy(own_crops)).mean(0)

    def begin_from_published(self) -> None:
        """The same for weights out of a pack, which have no statistics of their own."""
        settle(self.network, self._faces, self._straightener, self._seed)
        self.average.network.load_state_dict(self.network.state_dict())
        self.begin_from_network()

    def begin_from(self, state: State) -> None:
        """Begin with what another training of the same people learned: its averaged weights."""
        self._learned.load_state_dict(state["learned"])  # type: ignore[arg-type]  # as state() made it
        self.network.load_state_dict(state["average"])
        self.average.network.load_state_dict(state["average"])

    def step(self, number: int) -> Mapping[str, float]:
        seen, damaged, people, identities = self._views(np.random.default_rng((self._seed, number)))
        target = torch.from_numpy(self._teacher.embed(seen))
        set_rate(self._optimiser, self._schedule.rate(number))
        self._learned.train()
        images = to_input(torch.from_numpy(damaged)).contiguous(memory_format=torch.channels_last)
        if self._straightener is not None:
            images = self._straightener.straight(images)
        with torch.autocast("cpu", torch.bfloat16):
            embeddings = self.network(images)
        embeddings = embeddings.float()
        direction = direction_loss(self.projection(embeddings), target)
        similarity = similarity_loss(embeddings, target, torch.from_numpy(identities))
        margin = self.margin(embeddings, torch.from_numpy(people))
        loss = (
            direction
            + self._weights.similarity * similarity
            + self._weights.margin * self._ramp(number) * margin
        )
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self._learned.parameters(), 5.0)
        self._optimiser.step()
        self.average.update(self.network, number)
        return {
            "direction": direction.item(),
            "similarity": similarity.item(),
            "margin": margin.item(),
        }

    def evaluate(self) -> Mapping[str, float]:
        own = embed(
            behind(self._straightener, self.average.network),
            torch.from_numpy(np.ascontiguousarray(self._held_out.crops)),
        )
        return verify(np.asarray(own.numpy()), self._held_out.people).figures()

    def state(self) -> State:
        return {
            "learned": self._learned.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "average": self.average.network.state_dict(),
            **self._state_before(),
        }

    def restore(self, state: State) -> None:
        self._learned.load_state_dict(state["learned"])  # type: ignore[arg-type]  # as state() made it
        self._optimiser.load_state_dict(state["optimiser"])  # type: ignore[arg-type]
        self.average.network.load_state_dict(state["average"])

    def _state_before(self) -> State:
        """The weights are of use behind this straightener only."""
        return {} if self._straightener is None else {STRAIGHTENER: self._straightener.state_dict()}

    def _ramp(self, number: int) -> float:
        """Names come in slowly: first the teacher's space, then people apart in it."""
        return min(1.0, 10 * number / self._schedule.steps)

    def _views(self, rng: Generator) -> tuple[Pixels, Pixels, NDArray[np.int64], NDArray[np.int64]]:
        """What the teacher and the student see (n, 112, 112, 3), people and identities (n,)."""
        chosen = self._faces.batch(rng)
        is_straight = self._straightener is not None
        spread = STRAIGHT_SPREAD if is_straight else 1.0
        seen = [views.seen_by_both(crop, rng, spread=spread) for crop in chosen.crops]
        people, identities = chosen.people.copy(), chosen.identities.copy()
        # Only faces after the people's own: a mixed face is nobody.
        for place in range(chosen.by_person, len(seen)):
            if rng.random() < self._weights.mixed:
                seen[place] = views.mixed(seen[place], seen[int(rng.integers(len(seen)))], rng)
                people[place], identities[place] = NOBODY, UNKNOWN
        damage = views.before_straightening if is_straight else views.damaged
        damaged = [damage(crop, rng) for crop in seen]
        return np.stack(seen), np.stack(damaged), people, identities
