"""The networks of a published rec.onnx, so that a training can go on where checkpoints are gone.

Export folds each batch norm into the convolution before it. What comes back gives the same
embeddings; how the norm and the convolution share the work is chosen anew (`settle`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from training.data.label import middle
from training.errors import TrainingError
from training.recogniser.faces import TrainingFaces
from training.recogniser.network import Recogniser, to_input
from training.straightener.network import Straightener

_KERNEL_RMS = 0.088
"""Of a trained kernel (student-0's are 0.083 to 0.092): AdamW's steps know no other scale, and
behind a batch norm the scale says nothing else."""
_BEFORE = "straightener."
"""How names of weights begin that lie before the recogniser."""
_LAYERS = frozenset({"Conv", "Gemm", "MatMul", "BatchNormalization"})
_TINY = 1e-8
_FACES, _BATCHES = 4000, 20

Layer = nn.Conv2d | nn.Linear | nn.BatchNorm1d


def published(file: Path) -> tuple[Straightener | None, Recogniser]:
    """What `training.export` wrote there: the straightener, if it has one, and the recogniser.

    The recogniser's batch norms pass on what they get; before a training call `settle`. Raises
    TrainingError: the file is another network's.
    """
    model = onnx.load_model(file)
    values = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Identity" and node.input[0] in values:  # two weights that are alike
            values[node.output[0]] = values[node.input[0]]
    layers = iter(
        [values[name] for name in node.input if name in values]
        for node in model.graph.node
        if node.op_type in _LAYERS and any(name in values for name in node.input)
    )
    straightener = Straightener() if any(_BEFORE in name for name in values) else None
    recogniser = Recogniser()
    try:
        for network in (straightener, recogniser):
            if network is not None:
                _read(network, layers)
    except (StopIteration, ValueError) as error:
        raise TrainingError(f"{file} is not a recogniser of this training: {error}") from error
    return None if straightener is None else straightener.eval(), recogniser.eval()


@torch.no_grad()
def settle(
    recogniser: Recogniser, faces: TrainingFaces, straightener: Straightener | None, seed: int
) -> None:
    """Give its batch norms the statistics of some faces, and its kernels a usual scale.

    The embeddings stay as they are.
    """
    some = faces.sample(_FACES, np.random.default_rng(seed))
    crops = torch.from_numpy(middle(np.stack(some.crops)))
    norms = []
    for layer, norm in _layers(recogniser):
        if isinstance(layer, nn.Conv2d) and norm is not None:
            factor = _KERNEL_RMS / layer.weight.pow(2).mean((1, 2, 3)).sqrt().clamp_min(_TINY)
            layer.weight *= factor[:, None, None, None]
            norm.weight.div_(factor)
            norms.append(norm)
    moments: dict[nn.Module, list[Tensor]] = {norm: [] for norm in norms}

    def note(norm: nn.Module, given: tuple[Tensor]) -> None:
        (values,) = given
        moments[norm].append(torch.stack([values.mean((0, 2, 3)), values.pow(2).mean((0, 2, 3))]))

    hooks = [norm.register_forward_pre_hook(note) for norm in norms]
    recogniser.eval()
    for batch in crops.chunk(_BATCHES):
        images = to_input(batch)
        recogniser(images if straightener is None else straightener.straight(images))
    for hook in hooks:
        hook.remove()
    for norm in norms:
        mean, square = torch.stack(moments[norm]).mean(0)
        slope = norm.weight / _deviation(norm)
        norm.bias.add_(slope * (mean - _running(norm)[0]))
        _running(norm)[0].copy_(mean)
        _running(norm)[1].copy_((square - mean**2).clamp_min(_TINY))
        norm.weight.copy_(slope * _deviation(norm))


@torch.no_grad()
def _read(network: nn.Module, layers: Iterator[list[NDArray[np.float32]]]) -> None:
    for layer, norm in _layers(network):
        weight, *rest = (torch.from_numpy(np.array(one)) for one in next(layers))
        if isinstance(layer, nn.BatchNorm1d):
            for target, value in zip(
                (layer.weight, layer.bias, *_running(layer)), (weight, *rest), strict=True
            ):
                target.copy_(value)
            continue
        if isinstance(layer, nn.Linear) and not rest:
            weight = weight.T  # a MatMul has it the other way round
        if weight.shape != layer.weight.shape:
            raise ValueError(f"a layer of {tuple(weight.shape)}, not {tuple(layer.weight.shape)}")
        layer.weight.copy_(weight)
        if norm is not None:
            norm.weight.fill_(1.0)
            _running(norm)[0].zero_()
            _running(norm)[1].fill_(1.0 - norm.eps)
        bias = layer.bias if norm is None else norm.bias
        for target, value in zip([] if bias is None else [bias], rest, strict=True):
            target.copy_(value)


def _layers(network: nn.Module) -> Iterator[tuple[Layer, nn.BatchNorm2d | None]]:
    """Whatever has weights, in the order in which it runs.

    With the batch norm that export folds into it, if one follows.
    """
    parts = [one for one in network.modules() if isinstance(one, Layer | nn.BatchNorm2d)]
    for part, after in zip(parts, [*parts[1:], None], strict=True):
        if not isinstance(part, nn.BatchNorm2d):
            yield part, after if isinstance(after, nn.BatchNorm2d) else None


def _running(norm: nn.Module) -> tuple[Tensor, Tensor]:
    return norm.get_buffer("running_mean"), norm.get_buffer("running_var")


def _deviation(norm: nn.BatchNorm2d) -> Tensor:
    return (_running(norm)[1] + norm.eps).sqrt()
