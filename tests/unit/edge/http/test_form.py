"""Multipart bodies, in whatever pieces they come."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import ImageTooLarge, InvalidParameter
from edge.form import Form, FormLimits, read_form
from tests.unit.edge.http.asgi import multipart

LIMITS = FormLimits(image_bytes=10_000, field_bytes=1_000)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)


async def read(
    headers: dict[str, str], chunks: Iterable[bytes], limits: FormLimits = LIMITS
) -> Form:
    async def stream() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    return await read_form(stream(), headers.get("Content-Type"), limits)


@given(st.binary(max_size=3_000), TEXTS, st.lists(st.integers(0, 4_000), max_size=20))
async def test_a_form_is_the_same_however_it_is_cut(
    image: bytes, text: str, cuts: list[int]
) -> None:
    headers, body = multipart(image, boundary="x-boundary-of-the-test", collection_id=text)
    edges = [0, *sorted(cut for cut in cuts if cut < len(body)), len(body)]
    pieces = [body[start:end] for start, end in itertools.pairwise(edges)]
    form = await read(headers, pieces)
    assert form.image == image
    assert form.fields == {"collection_id": [text]}


async def test_an_image_of_exactly_the_limit_passes_and_one_byte_more_does_not() -> None:
    headers, body = multipart(b"x" * LIMITS.image_bytes)
    assert (await read(headers, [body])).image == b"x" * LIMITS.image_bytes
    headers, body = multipart(b"x" * (LIMITS.image_bytes + 1))
    with pytest.raises(ImageTooLarge):
        await read(headers, [body])


async def test_an_image_that_is_too_large_stops_the_reading() -> None:
    headers, body = multipart(b"x" * 100_000)
    pieces = iter([body[:20_000], body[20_000:]])
    with pytest.raises(ImageTooLarge):
        await read(headers, pieces)
    assert next(pieces)


async def test_all_fields_together_are_bounded() -> None:
    headers, body = multipart(None, a="x" * 600, b="x" * 400)
    assert len((await read(headers, [body])).fields) == 2
    headers, body = multipart(None, a="x" * 600, b="x" * 401)
    with pytest.raises(InvalidParameter):
        await read(headers, [body])


async def test_the_number_of_parts_is_bounded() -> None:
    headers, body = multipart(None, **{f"f{n}": "" for n in range(65)})
    with pytest.raises(InvalidParameter, match="parts"):
        await read(headers, [body])


@pytest.mark.parametrize("keep", [1, 20, 60, 130, -3, -4, -5])
async def test_a_body_that_was_cut_off_is_refused(keep: int) -> None:
    headers, body = multipart(b"image", collection_id="a")
    with pytest.raises(InvalidParameter):
        await read(headers, [body[:keep]])


async def test_nothing_is_an_empty_form() -> None:
    assert await read({}, []) == Form()
    assert await read({"Content-Type": "multipart/form-data; boundary=b"}, []) == Form()


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/mixed; boundary=limit",
        "multipart/form-data; boundary=other",
        "multipart/form-data; boundary=" + "b" * 300,
        "\x00",
    ],
)
async def test_a_body_of_another_kind_is_refused(content_type: str | None) -> None:
    _, body = multipart(b"image")
    with pytest.raises(InvalidParameter):
        await read({} if content_type is None else {"Content-Type": content_type}, [body])


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"Content-Disposition: form-data\r\n",
        b"Content-Disposition: attachment; name=image\r\n",
        b"no colon\r\n",
        b'Content-Disposition: form-data; name="\xff"\r\n',
        b"X: " + b"y" * 5_000 + b"\r\n",
        b'Content-Disposition: form-data; name="other"; filename="f"\r\n',
    ],
    ids=["none", "no name", "attachment", "no colon", "not utf-8", "long", "another file"],
)
async def test_a_part_that_is_no_field_is_refused(head: bytes) -> None:
    body = b"--limit\r\n" + head + b"\r\ndata\r\n--limit--\r\n"
    with pytest.raises(InvalidParameter):
        await read({"Content-Type": "multipart/form-data; boundary=limit"}, [body])


async def test_a_file_is_refused_where_none_is_taken() -> None:
    headers, body = multipart(b"image")
    with pytest.raises(InvalidParameter):
        await read(headers, [body], FormLimits(image_bytes=0, field_bytes=1_000))


@given(st.binary(max_size=300))
async def test_no_bytes_break_the_reader(noise: bytes) -> None:
    try:
        await read({"Content-Type": "multipart/form-data; boundary=b"}, [b"--b\r\n" + noise])
    except InvalidParameter:
        return
