"""What is exported has its mean face at the origin."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch, which is no dependency")

from training.data.store import PreparedSet  # noqa: E402
from training.recogniser.centre import centre  # noqa: E402
from training.recogniser.faces import Mixture, TrainingFaces  # noqa: E402
from training.recogniser.network import Recogniser, to_input  # noqa: E402
from training.straightener.network import Straightener, behind  # noqa: E402


@pytest.mark.parametrize("is_straight", [True, False])
@pytest.mark.parametrize("count", [3, 70])
def test_the_mean_over_the_faces_is_moved_to_the_origin(
    one_face: PreparedSet, count: int, *, is_straight: bool
) -> None:
    crops = np.random.default_rng(2).integers(0, 256, (count, 144, 144, 3), np.uint8)
    about = {"names": [str(n) for n in range(count)], "people": [None] * count}
    one = replace(
        one_face,
        about=one_face.about | about | {"held_out": [False] * count},  # type: ignore[arg-type]  # as it is
        crops=crops,
        crop_image=np.arange(count),
    )
    recogniser = Recogniser()
    torch.nn.init.uniform_(recogniser.norm.bias)  # a mean to be moved
    network = behind(Straightener() if is_straight else None, recogniser)
    images = to_input(torch.from_numpy(crops[:, 16:-16, 16:-16]))
    with torch.no_grad():
        before = network.eval()(images)
        centre(network, TrainingFaces([one], Mixture()), seed=3)
        after = network(images)
    assert before.mean(0).abs().max() > 0.5
    assert after.mean(0).abs().max() < 1e-4
    # Nothing else has changed: all have moved by the same.
    assert torch.allclose(before - after, (before - after)[:1].expand_as(before), atol=1e-4)
