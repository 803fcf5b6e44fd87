"""Settings: every mistake is one clear line before anything starts."""

from __future__ import annotations

import pytest

from inference.settings import Settings, SettingsError, load_settings


@pytest.fixture(autouse=True)
def _no_settings_of_the_developer(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in Settings.model_fields:
        monkeypatch.delenv(f"INFERENCE_{field.upper()}", raising=False)


def test_an_unknown_setting_names_the_closest_known_one() -> None:
    with pytest.raises(SettingsError, match="INFERENCE_PROT; did you mean INFERENCE_PORT"):
        load_settings({"INFERENCE_PROT": "1"})


def test_other_programs_variables_are_none_of_our_business() -> None:
    load_settings({"EDGE_INFERENCE_TARGETS": "x", "PATH": "/bin"})


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PORT", "70000", "INFERENCE_PORT='70000'"),
        ("LOOK_SIZES", "320,333", "multiples of 32"),
        ("LOOK_SIZES", "320,320", "each look is taken once"),
        ("BUCKETS", "4,2", "buckets ascend"),
        ("DEVICE", "tpu", "INFERENCE_DEVICE='tpu'"),
        ("MIN_SCORE", "nan", "INFERENCE_MIN_SCORE"),
        ("TLS_KEY", "key.pem", "belong together"),
        ("TLS_CLIENT_CA", "ca.pem", "needs INFERENCE_TLS_CERT"),
        ("MAX_ITEMS", "500", "INFERENCE_QUEUE_ITEMS must hold"),
        ("MAX_MESSAGE_BYTES", "5000", "must hold INFERENCE_MAX_IMAGE_BYTES"),
        ("QUEUE_BYTES", "70000", "INFERENCE_QUEUE_BYTES must hold"),
    ],
)
def test_a_wrong_or_contradictory_setting_is_one_line_that_names_it(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(f"INFERENCE_{name}", value)
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_what_the_command_line_gives_goes_over_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("INFERENCE_PORT", "1000")
    monkeypatch.setenv("INFERENCE_PACK", "buffalo_l")
    settings = load_settings(port=2000)
    assert (settings.port, settings.pack) == (2000, "buffalo_l")


def test_an_empty_variable_means_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFERENCE_EXPECT_DIM", "")
    assert load_settings().expect_dim is None


def test_a_cpu_pads_no_batches_and_a_gpu_does() -> None:
    assert load_settings(device="cpu").detector_policy.buckets == ()
    assert load_settings(device="cuda:0").detector_policy.buckets == (1, 2, 4, 8, 16, 32)
    assert load_settings(device="cuda:0", buckets="none").detector_policy.buckets == ()
    assert load_settings(device="cpu", buckets="1,4").detector_policy.buckets == (1, 4)


def test_every_setting_says_what_it_is() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
