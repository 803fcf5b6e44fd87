"""Runs on inputs that stay where the device wants them: one copy in, one copy out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
import onnxruntime
from numpy.typing import NDArray

MAX_SHAPES = 64
"""Sets of inputs that are kept. Buckets times looks are fewer; whatever else comes runs unbound, so
that memory stays bounded."""

Shapes = tuple[tuple[str, tuple[int, ...]], ...]


@dataclass(frozen=True, slots=True)
class _Bound:
    binding: onnxruntime.IOBinding
    inputs: Mapping[str, onnxruntime.OrtValue]


class BoundInputs:
    """The inputs of one session on its device, allocated once a shape and written over.

    Owned by one thread at a time, as the session is. Addresses stay, so that the device allocates
    nothing for inputs while it serves.
    """

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        device_kind: str,
        device_id: int = 0,
        *,
        max_shapes: int = MAX_SHAPES,
    ) -> None:
        """device_kind: "cuda" or "cpu"."""
        self._session = session
        self._device_kind = device_kind
        self._device_id = device_id
        self._max_shapes = max_shapes
        self._output_names = [value.name for value in session.get_outputs()]
        self._kept: dict[Shapes, _Bound] = {}

    def __len__(self) -> int:
        """Sets of inputs that are kept."""
        return len(self._kept)

    def run(self, feeds: Mapping[str, NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """The outputs, in memory of their own. Raises what onnxruntime raises."""
        shapes = tuple((name, feed.shape) for name, feed in feeds.items())
        bound = self._kept.get(shapes)
        if bound is None:
            if len(self._kept) >= self._max_shapes:
                return cast(
                    "list[NDArray[np.float32]]", self._session.run(self._output_names, dict(feeds))
                )
            bound = self._kept[shapes] = self._bind(feeds)
        for name, feed in feeds.items():
            bound.inputs[name].update_inplace(feed)
        self._session.run_with_iobinding(bound.binding)
        return cast("list[NDArray[np.float32]]", bound.binding.copy_outputs_to_cpu())

    def _bind(self, feeds: Mapping[str, NDArray[np.float32]]) -> _Bound:
        binding = self._session.io_binding()
        inputs = {
            name: onnxruntime.OrtValue.ortvalue_from_shape_and_type(
                feed.shape, feed.dtype.type, self._device_kind, self._device_id
            )
            for name, feed in feeds.items()
        }
        for name, value in inputs.items():
            binding.bind_ortvalue_input(name, value)
        for name in self._output_names:
            # In main memory, of whatever size the run gives: the detector's rows vary.
            binding.bind_output(name, "cpu")
        return _Bound(binding, inputs)
