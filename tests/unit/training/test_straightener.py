"""Crops that lie beside their place are put back."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch, which is no dependency")

import onnx  # noqa: E402

from inference.models.graphs import RecogniserGraph, read_graph  # noqa: E402
from inference.pipeline.align import TEMPLATE  # noqa: E402
from inference.pipeline.faces import Pixels  # noqa: E402
from inference.sessions.onnx import OnnxOptions, OnnxSessions  # noqa: E402
from training.data.label import middle  # noqa: E402
from training.data.store import STORED_CROP  # noqa: E402
from training.export.graphs import recogniser_model  # noqa: E402
from training.export.trained import trained_recogniser  # noqa: E402
from training.loop import checkpoint  # noqa: E402
from training.recogniser.network import Depths, Recogniser, to_input  # noqa: E402
from training.recogniser.views import Displacement, displaced  # noqa: E402
from training.straightener.network import (  # noqa: E402
    FURTHEST,
    Straightener,
    StraightRecogniser,
    moved,
)

BY = Displacement(degrees=4.0, scale=1.06, shift=np.array([2.5, -1.5]))


@contextmanager
def saying(network: Straightener, moves: Sequence[float]) -> Iterator[Straightener]:
    """A network that says the same of every crop."""
    with torch.no_grad():
        network.moves.weight.zero_()
        network.moves.bias.copy_(torch.tensor(moves))
    yield network.eval()


def _smooth() -> Pixels:
    noise = np.random.default_rng(5).integers(0, 256, (STORED_CROP, STORED_CROP, 3), np.uint8)
    blurred = cv2.GaussianBlur(noise, (0, 0), 3).astype(np.float32)
    low, high = blurred.min(), blurred.max()
    return np.asarray((blurred - low) / (high - low) * 255, np.uint8)


def _moves(by: Displacement) -> list[float]:
    """What a perfect straightener says of crops displaced so."""
    _, from_crop = displaced(_smooth(), by)
    half = 55.5
    centre = from_crop[:, :2] @ [half, half] + from_crop[:, 2]
    right, down = (centre - half) / half
    return [float(from_crop[0, 0] - 1), float(from_crop[1, 0]), float(right), float(down)]


def test_a_displaced_crop_is_put_back_to_the_pixel() -> None:
    stored = _smooth()
    crop, _ = displaced(stored, BY)
    straight = middle(stored[None])
    with saying(Straightener(), _moves(BY)) as network, torch.no_grad():
        images = to_input(torch.from_numpy(np.stack([crop])))
        back = network.straight(images).permute(0, 2, 3, 1).numpy() * 127.5 + 127.5
    inner = np.s_[:, 12:-12, 12:-12]  # what was cut off is lost
    assert np.abs(back[inner] - straight[inner]).mean() < 1.5
    assert np.abs(crop[None].astype(float)[inner] - straight[inner]).mean() > 15


def test_moves_say_where_the_crop_shows_the_template() -> None:
    _, from_crop = displaced(_smooth(), BY)
    expected = TEMPLATE @ from_crop[:, :2].T + from_crop[:, 2]
    found = moved(torch.from_numpy(TEMPLATE), torch.tensor([_moves(BY)]))[0]
    np.testing.assert_allclose(found.numpy(), expected, atol=0.01)
    still = moved(torch.from_numpy(TEMPLATE), torch.zeros(1, 4))[0]
    np.testing.assert_allclose(still.numpy(), TEMPLATE, atol=1e-4)


def test_what_is_no_crop_of_a_face_is_not_moved_far() -> None:
    with saying(Straightener(), [9.0, -9.0, 9.0, -9.0]) as network, torch.no_grad():
        moves = network(torch.zeros(2, 3, 112, 112))
    assert moves.abs().max().item() == pytest.approx(FURTHEST)


def test_the_exported_recogniser_puts_crops_straight_itself(tmp_path: Path) -> None:
    torch.manual_seed(3)
    recogniser = Recogniser(Depths(1, 0, 1))
    file = tmp_path / "rec.onnx"
    with saying(Straightener(), _moves(BY)) as straightener:
        network = StraightRecogniser(straightener, recogniser).eval()
        onnx.save(recogniser_model(network), file)
    graph = read_graph(file)
    assert isinstance(graph, RecogniserGraph)
    images = torch.randn(3, 3, 112, 112, generator=torch.Generator().manual_seed(3))
    session = OnnxSessions(graph.model, OnnxOptions())()
    found = session.run({graph.input_name: images.numpy()})[0]
    with torch.no_grad():
        np.testing.assert_allclose(found, network(images).numpy(), atol=1e-5)
        assert np.abs(found - recogniser(images).numpy()).max() > 1e-3, "moved, and so another"


def test_a_recogniser_is_exported_with_the_straightener_that_it_was_trained_behind(
    tmp_path: Path,
) -> None:
    file = tmp_path / "last.pt"
    recogniser = Recogniser().eval()
    images = torch.randn(1, 3, 112, 112, generator=torch.Generator().manual_seed(4))
    checkpoint.save({"average": recogniser.state_dict()}, file)
    alone = trained_recogniser(file).eval()
    with saying(Straightener(), _moves(BY)) as straightener, torch.no_grad():
        state = {"average": recogniser.state_dict(), "straightener": straightener.state_dict()}
        checkpoint.save(state, file)
        both = trained_recogniser(file).eval()
        torch.testing.assert_close(alone(images), recogniser(images))
        torch.testing.assert_close(both(images), recogniser(straightener.straight(images)))
        assert not torch.allclose(both(images), alone(images), atol=1e-3)
