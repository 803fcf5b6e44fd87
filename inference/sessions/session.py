"""What a session is: one network on one device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """A named input or output. A dimension is None where it is free."""

    name: str
    shape: tuple[int | None, ...]


class Session(Protocol):
    """One network on one device, owned by one thread at a time.

    A session that raised anything must be thrown away and made again.
    """

    @property
    def inputs(self) -> Sequence[TensorInfo]: ...

    @property
    def outputs(self) -> Sequence[TensorInfo]: ...

    @property
    def runtime(self) -> str:
        """Such as "onnxruntime 1.31.1"."""
        ...

    @property
    def providers(self) -> Sequence[str]:
        """The execution providers in use, best first."""
        ...

    @property
    def device(self) -> str:
        """Such as "cpu" or "cuda:0"."""
        ...

    def run(self, feeds: Mapping[str, NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """The outputs, in the order of `outputs`. Blocks, without holding the GIL.

        Raises ModelFault, whatever the runtime raised.
        """
        ...


class SessionFactory(Protocol):
    """Makes sessions of one network; called again when one broke."""

    def __call__(self) -> Session: ...
