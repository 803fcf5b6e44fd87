"""Networks come back out of the rec.onnx of a pack, and a training can go on with them."""

from pathlib import Path

import numpy as np
import onnx
import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch, which is no dependency")

from inference.models.find import EMBEDDED_DIR  # noqa: E402
from training.data.label import middle  # noqa: E402
from training.data.store import PreparedSet  # noqa: E402
from training.errors import TrainingError  # noqa: E402
from training.export.graphs import recogniser_model  # noqa: E402
from training.export.trained import SEED, mean_with_published  # noqa: E402
from training.loop import checkpoint  # noqa: E402
from training.recogniser.faces import Mixture, TrainingFaces  # noqa: E402
from training.recogniser.network import Recogniser, embed  # noqa: E402
from training.recogniser.published import published, settle  # noqa: E402
from training.straightener.network import Straightener, behind  # noqa: E402


def _crops(count: int):  # type: ignore[no-untyped-def]  # torch is not there for everybody
    noise = np.random.default_rng(7).integers(0, 256, (count, 112, 112, 3), np.uint8)
    return torch.from_numpy(noise)


def _faces(one_face: PreparedSet) -> TrainingFaces:
    return TrainingFaces([one_face], Mixture())


def _written(folder: Path, straightener: Straightener | None, recogniser: Recogniser) -> Path:
    file = folder / "rec.onnx"
    onnx.save_model(recogniser_model(behind(straightener, recogniser)), file)
    return file


@pytest.mark.parametrize("is_straight", [True, False])
def test_what_comes_back_embeds_alike(
    tmp_path: Path, one_face: PreparedSet, *, is_straight: bool
) -> None:
    before = Straightener().eval() if is_straight else None
    recogniser = Recogniser().train()
    recogniser(torch.randn(4, 3, 112, 112))  # statistics that are no one's default
    file = _written(tmp_path, before, recogniser.eval())
    found = published(file)
    crops = _crops(4)
    expected = embed(behind(before, recogniser), crops)
    np.testing.assert_allclose(embed(behind(*found), crops), expected, atol=1e-5)
    straightener, back = found
    settle(back, _faces(one_face), straightener, seed=3)
    np.testing.assert_allclose(embed(behind(straightener, back), crops), expected, atol=1e-4)


def test_settled_networks_have_the_statistics_of_their_faces(one_face: PreparedSet) -> None:
    _, network = published(EMBEDDED_DIR / "starter" / "rec.onnx")
    faces = _faces(one_face)
    settle(network, faces, None, seed=3)
    state = network.state_dict()
    kernel = state["stem.0.a.0.weight"]
    (only,) = {crop.tobytes(): crop for crop in one_face.crops}.values()
    images = (torch.from_numpy(middle(only[None])).permute(0, 3, 1, 2).float() - 127.5) / 127.5
    values = torch.nn.functional.conv2d(images, kernel, stride=2, padding=1)
    np.testing.assert_allclose(state["stem.0.a.1.running_mean"], values.mean((0, 2, 3)), atol=1e-4)
    assert float(kernel.pow(2).mean().sqrt()) == pytest.approx(0.088, rel=1e-3)


def test_the_mean_of_a_training_and_its_start_lies_between_them(
    tmp_path: Path, one_face: PreparedSet
) -> None:
    file = _written(tmp_path, None, Recogniser().eval())
    faces = _faces(one_face)
    _, begun = published(file)
    settle(begun, faces, None, seed=SEED)
    trained = {name: one + 2.0 for name, one in begun.state_dict().items()}
    checkpoint.save({"average": trained}, tmp_path / "last.pt")
    mean = mean_with_published(tmp_path / "last.pt", file, faces)
    expected = begun.state_dict()["project.weight"] + 1.0
    np.testing.assert_allclose(mean.state_dict()["project.weight"], expected, atol=1e-6)


def test_embedding_leaves_each_part_in_its_mode() -> None:
    """The straightener before a network in training stays as it is."""
    straightener, recogniser = Straightener().eval(), Recogniser().train()
    embed(behind(straightener, recogniser), _crops(2))
    assert not any(part.training for part in straightener.modules())
    assert all(part.training for part in recogniser.modules())


def test_another_network_is_refused() -> None:
    with pytest.raises(TrainingError, match="is not a recogniser"):
        published(EMBEDDED_DIR / "starter" / "det.onnx")
