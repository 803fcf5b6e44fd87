from __future__ import annotations

from threading import Event, Thread

import numpy as np
import pytest

from inference.sessions.fake import fake_detector, fake_recogniser

CROPS = {"input": np.arange(3, dtype=np.float32)[:, None, None, None] * np.ones((1, 3, 112, 112))}


def test_every_crop_gets_its_own_embedding_whatever_its_batch() -> None:
    session = fake_recogniser(dim=4)

    (together,) = session.run({"input": CROPS["input"].astype(np.float32)})
    (alone,) = session.run({"input": CROPS["input"][2:].astype(np.float32)})

    assert not np.allclose(together[1], together[2])
    assert np.allclose(together[2], alone[0])
    assert session.batch_sizes == [3, 1]


def test_a_run_waits_until_the_gate_opens() -> None:
    gate, entered = Event(), Event()
    session = fake_recogniser(gate=gate, entered=entered)
    worker = Thread(target=session.run, args=({"input": CROPS["input"].astype(np.float32)},))

    worker.start()
    assert entered.wait(10)
    assert worker.is_alive()
    gate.set()
    worker.join(10)

    assert not worker.is_alive()


def test_an_answer_may_raise() -> None:
    def broken(_feeds: object) -> list[np.ndarray]:
        raise RuntimeError("the device is gone")

    with pytest.raises(RuntimeError, match="device is gone"):
        fake_recogniser(answer=broken).run({"input": CROPS["input"].astype(np.float32)})


def test_a_fake_detector_has_the_outputs_of_scrfd() -> None:
    session = fake_detector(lambda _image: 2)

    outputs = session.run({"input": np.zeros((3, 3, 128, 128), dtype=np.float32)})

    assert [output.shape for output in outputs[:3]] == [(1536, 1), (384, 1), (96, 1)]
    assert int(sum((output > 0).sum() for output in outputs[:3])) == 6
