"""What the recogniser is asked for."""

import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch, which is no dependency")

from training.recogniser.losses import (  # noqa: E402
    APART,
    TOGETHER,
    UNKNOWN,
    MarginHead,
    put_right,
    similarity_loss,
)


def test_the_teacher_is_put_right_where_people_are_known() -> None:
    similarities = torch.tensor(
        [
            [1.0, 0.30, 0.50, 0.60],
            [0.30, 1.0, -0.1, 0.10],
            [0.50, -0.1, 1.0, 0.70],
            [0.60, 0.10, 0.70, 1.0],
        ]
    )
    right = put_right(similarities, torch.tensor([0, 0, 1, UNKNOWN]))
    assert right[0, 1] == pytest.approx(TOGETHER)
    assert right[0, 2] == pytest.approx(APART)
    assert right[1, 2] == pytest.approx(-0.1), "people apart already stay where they are"
    assert torch.equal(right[3], similarities[3]), "of a face between two nothing is known"


def test_two_images_that_may_be_one_person_are_left_to_the_teacher() -> None:
    right = put_right(torch.tensor([[1.0, 0.8], [0.8, 1.0]]), torch.tensor([0, 1]))
    assert right[0, 1] == pytest.approx(0.8)


def test_the_same_structure_in_more_dimensions_costs_nothing() -> None:
    teacher = torch.randn(6, 8, generator=torch.Generator().manual_seed(1))
    turned = torch.linalg.qr(torch.randn(16, 16, generator=torch.Generator().manual_seed(2)))[0]
    unknown = torch.full((6,), UNKNOWN)
    student = torch.cat([teacher, torch.zeros(6, 8)], 1) @ turned
    assert similarity_loss(3 * student, teacher, unknown).item() == pytest.approx(0, abs=1e-10)
    assert similarity_loss(student.roll(1, 0), teacher, unknown).item() > 0.01


def test_faces_without_a_name_have_no_say_in_the_margin() -> None:
    torch.manual_seed(1)
    head, embeddings = MarginHead(3, 8), torch.randn(4, 8)
    known = head(embeddings[:2], torch.tensor([0, 2]))
    mixed = head(embeddings, torch.tensor([0, 2, -1, -1]))
    assert mixed.item() == pytest.approx(known.item())
    assert head(embeddings, torch.full((4,), -1)).item() == 0
