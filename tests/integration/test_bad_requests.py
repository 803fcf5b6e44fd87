"""Bad parameters, hostile names, missing keys and requests at once: both processes, real stores."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest
from PIL import Image

from tests.integration.processes import clean_environment
from tests.integration.system import KEY, Client, Json, System, client_of, start_system
from tests.unit.inference.pipeline import files

pytestmark = [pytest.mark.slow, pytest.mark.pack]

HOSTILE = [
    *("a/../b", "..", ".", "%2e%2e", "%2E%2E", "a%2Fb", "a/b", "/"),
    *('x" or photo_id != "', "a'b", "back\\slash", "\\", '\\"', "%", "%%", "_", "🦊", "null"),
]
PLAIN = ["a", "b", "x", "ab"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def system(data: Path, pack_dir: Path) -> Iterator[System]:
    with start_system(data, pack_dir, EDGE_DEFAULT_TIMEOUT_SECONDS="30") as running:
        yield running


@pytest.fixture
def client(system: System) -> Iterator[Client]:
    """Of an empty base."""
    system.client.http.delete("/remove_all/")
    yield system.client
    system.client.http.delete("/remove_all/")


@pytest.fixture(scope="module")
def faces(shared: Path) -> list[bytes]:
    """Photos of two people, small; each with one face."""
    names = ("bulk_yifei.jpg", "bulk_Rob_Lowe_0001.jpg")
    pictures = [Image.open(shared / "data/photos" / name).convert("RGB") for name in names]
    for picture in pictures:
        picture.thumbnail((320, 320))
    return [files.encoded(picture, "PNG") for picture in pictures]


def named(image: bytes, name: str) -> bytes:
    """The same picture in bytes of its own."""
    return files.png_with(image, files.png_chunk(b"tEXt", b"Comment\x00" + repr(name).encode()))


def encoded(name: str) -> str:
    """A name in a path, every byte of it percent-encoded, so that no client tidies it."""
    return "".join(f"%{byte:02X}" for byte in name.encode("utf-8", "surrogatepass"))


def problem(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


# Names


def test_a_photo_is_found_again_under_exactly_its_name_and_never_anothers(
    client: Client, faces: list[bytes]
) -> None:
    names = HOSTILE + PLAIN
    for name in names:
        answer = client.http.put("/photos/" + encoded(name), files={"image": named(faces[0], name)})
        assert answer.json()["photo_id"] == name
        assert answer.json()["created"] is True
    assert sorted(item["photo_id"] for item in client.listing()) == sorted(names)
    found = client.search(faces[0], top_k=50, score_threshold=0.9)["results"]
    assert sorted(row["photo_id"] for row in found) == sorted(names)

    for name in names:
        record = client.http.get("/photos/" + encoded(name)).json()
        assert (record["photo_id"], len(record["faces"])) == (name, 1)
        assert client.http.get(f"/photos/{encoded(name)}/image").content == named(faces[0], name)
        assert [item["photo_id"] for item in client.listing(photo_id=name)] == [name]

    left = set(names)
    for number, name in enumerate(HOSTILE):
        answer = (
            client.http.delete("/remove/" + encoded(name))
            if number % 2
            else client.http.delete("/remove/", params={"photo_id": name})
        )
        assert answer.json() == {"photo_id": name, "faces_removed": 1}
        left.remove(name)
        assert {item["photo_id"] for item in client.listing()} == left
    found = client.search(faces[0], top_k=50, score_threshold=0.9)["results"]
    assert {row["photo_id"] for row in found} == left == set(PLAIN)


def test_a_collection_is_searched_under_exactly_its_name_and_never_another(
    client: Client, faces: list[bytes]
) -> None:
    names = HOSTILE + PLAIN
    for name in names:
        client.put_photo("photo", faces[0], name)
    for name in names:
        rows = client.search(faces[0], [name], top_k=50, score_threshold=-1)["results"]
        assert [(row["collection_id"], row["photo_id"]) for row in rows] == [(name, "photo")]
        assert [item["collection_id"] for item in client.listing(collection_id=name)] == [name]
    for name in HOSTILE:
        removed = client.http.delete("/remove_all/", params={"collection_id": name})
        assert removed.json() == {"photos_removed": 1, "faces_removed": 1}
    assert sorted(item["collection_id"] for item in client.listing()) == sorted(PLAIN)


@pytest.mark.parametrize("target", ["/photos/..", "/photos/../photos/a", "/photos/%2e%2e"])
def test_a_path_that_a_proxy_would_tidy_names_no_other_photo(
    client: Client, system: System, faces: list[bytes], target: str
) -> None:
    client.put_photo("a", faces[0])
    with socket.create_connection(("127.0.0.1", system.edge.port)) as connection:
        connection.sendall(
            f"GET {target} HTTP/1.1\r\nHost: edge\r\nX-Api-Key: {KEY}\r\n"
            "Connection: close\r\n\r\n".encode()
        )
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 404")


@pytest.mark.parametrize(
    "name", ["x" * 300, "a\nb", "a\x00b", "\x1b[31m", "\ud800", " a"], ids=repr
)
def test_a_name_that_cannot_be_is_refused(client: Client, faces: list[bytes], name: str) -> None:
    image = {"image": faces[0]}
    in_query = f"?photo_id={encoded(name)}"
    in_collection = f"?collection_id={encoded(name)}"
    answers = [
        client.http.put("/photos/" + encoded(name), files=image),
        client.http.put("/photos/a" + in_collection, files=image),
        client.http.post("/detect_faces/" + in_query, files=image),
        client.http.post("/search/" + in_collection, files=image),
        client.http.get("/photos/" + encoded(name)),
        client.http.delete("/remove/" + encoded(name)),
        client.http.delete("/remove_all/" + in_collection),
    ]
    assert {problem(answer) for answer in answers} == {(400, "invalid_parameter")}
    assert client.listing() == []


# Parameters


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("top_k", value) for value in ("0", "51", "x")),
        *(("score_threshold", value) for value in ("2", "NaN")),
        ("offset", "-1"),
    ],
)
def test_a_search_with_a_bad_parameter_is_refused(
    client: Client, faces: list[bytes], name: str, value: str
) -> None:
    answer = client.try_search(faces[0], **{name: value})
    assert problem(answer) == (400, "invalid_parameter")
    assert [error["field"] for error in answer.json()["errors"]] == [name]


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/photos/a"), ("POST", "/detect_faces/"), ("POST", "/search/")]
)
@pytest.mark.parametrize("count", [0, 2])
def test_an_image_that_is_missing_or_comes_twice_is_refused(
    client: Client, faces: list[bytes], method: str, path: str, count: int
) -> None:
    parts: list[Any] = [("image", ("a.png", faces[0]))] * count or [("collection_id", (None, "a"))]
    answer = client.http.request(method, path, files=parts)
    assert problem(answer) == (400, "invalid_parameter")
    assert [error["field"] for error in answer.json()["errors"]] == ["image"]
    assert client.listing() == []


def test_what_is_unknown_is_not_found(client: Client, faces: list[bytes]) -> None:
    client.put_photo("known", faces[0])
    http, box = client.http, "1,1,50,50"
    answers = {
        "face_not_found": [http.put("/add_face/", params={"face_id": "f_unknown_0"})],
        "photo_not_found": [
            http.put("/add_face/", params={"photo_id": "unknown", "bbox": box}),
            http.get("/photos/unknown"),
            http.get("/photos/unknown/image"),
            http.delete("/remove/unknown"),
            http.delete("/remove/known?collection_id=unknown"),
        ],
    }
    for code, those in answers.items():
        assert [problem(answer) for answer in those] == [(404, code)] * len(those)


@pytest.mark.parametrize(
    ("bbox", "expected"),
    [
        ("100000,100000,50,50", (400, "invalid_parameter")),
        ("-500,-500,50,50", (400, "invalid_parameter")),
        ('{"x": 1, "y": 2, "width"', (400, "invalid_parameter")),
        ("nan,0,10,10", (400, "invalid_parameter")),
        ('{"x": NaN, "y": 0, "width": 9, "height": 9}', (400, "invalid_parameter")),
        ("0,0,12,12", (422, "no_faces_detected")),
    ],
)
def test_a_box_that_shows_no_face_adds_none(
    client: Client, faces: list[bytes], bbox: str, expected: tuple[int, str]
) -> None:
    staged = client.http.post("/detect_faces/", files={"image": faces[0]}, data={"photo_id": "a"})
    assert len(staged.json()["faces"]) == 1
    answer = client.http.put("/add_face/", params={"photo_id": "a", "bbox": bbox})
    assert problem(answer) == expected
    assert [item["faces_indexed"] for item in client.listing()] == [0]
    box = staged.json()["faces"][0]["bbox"]
    added = client.http.put("/add_face/", params={"photo_id": "a", "bbox": json.dumps(box)})
    assert added.json()["face_id"] == staged.json()["faces"][0]["face_id"]


# Keys


def made_key(data: Path, name: str, *options: str) -> str:
    """`facesearch keys create`, beside the running edge."""
    command = [sys.executable, "-m", "cli.main", "keys", "create", name, *options]
    done = subprocess.run(
        [*command, "--data-dir", str(data), "--json"],
        capture_output=True,
        text=True,
        check=False,
        env=clean_environment({}),
    )
    assert done.returncode == 0, done.stderr
    key = json.loads(done.stdout)["key"]
    assert isinstance(key, str)
    return key


@pytest.mark.parametrize("sent", [[], [""], ["wrong"], [KEY + "x"], [KEY, KEY]], ids=repr)
def test_without_a_good_key_nothing_is_answered(
    client: Client, system: System, faces: list[bytes], sent: Sequence[str]
) -> None:
    headers = [("X-Api-Key", key) for key in sent]
    with httpx2.Client(base_url=system.edge.url, headers=headers) as http:
        answers = [
            http.put("/photos/a", files={"image": faces[0]}),
            http.post("/search/", files={"image": faces[0]}),
            http.get("/embed_status/"),
            http.delete("/remove_all/"),
        ]
    assert {problem(answer) for answer in answers} == {(401, "unauthorized")}
    assert client.listing() == []


def test_a_key_does_what_its_scopes_and_collections_allow_and_no_more(
    client: Client, system: System, faces: list[bytes], data: Path
) -> None:
    client.put_photo("theirs", faces[0], "theirs")
    guest = made_key(data, "guest", "--scopes", "search")
    limited = made_key(data, "limited", "--collections", "ours")
    forbidden = (403, "forbidden")
    with client_of(system.edge, guest) as own:
        assert len(own.search(faces[0])["results"]) == 1
        assert problem(own.http.put("/photos/a", files={"image": faces[0]})) == forbidden
        assert problem(own.http.delete("/remove/theirs")) == forbidden
        assert problem(own.http.delete("/remove_all/")) == forbidden
    with client_of(system.edge, limited) as own:
        assert own.search(faces[0])["results"] == []
        assert problem(own.try_search(faces[0], ["theirs"])) == forbidden
        image = {"image": faces[0]}
        put = own.http.put("/photos/a", files=image, data={"collection_id": "theirs"})
        assert problem(put) == forbidden
        assert problem(own.http.delete("/remove_all/")) == forbidden
        own.put_photo("a", faces[0], "ours")
        assert [row["photo_id"] for row in own.search(faces[0])["results"]] == ["a"]
    assert {item["photo_id"] for item in client.listing()} == {"a", "theirs"}


# At once


def found(client: Client, image: bytes) -> list[str]:
    """Photos that show this person, for certain."""
    rows = client.search(image, score_threshold=0.8, top_k=50)["results"]
    return [row["photo_id"] for row in rows]


def put(client: Client, name: str, image: bytes) -> httpx2.Response:
    return client.http.put(f"/photos/{name}", files={"image": image})


def test_the_same_enrolment_twenty_times_at_once_is_one_photo_with_its_face_once(
    client: Client, faces: list[bytes]
) -> None:
    with ThreadPoolExecutor(20) as callers:
        answers = list(callers.map(lambda _: put(client, "one", faces[0]), range(20)))
    assert [answer.status_code for answer in answers] == [200] * 20
    assert len({answer.json()["faces"][0]["face_id"] for answer in answers}) == 1
    assert sum(answer.json()["created"] for answer in answers) == 1
    (item,) = client.listing()
    assert (item["photo_id"], item["faces_indexed"]) == ("one", 1)
    assert found(client, faces[0]) == ["one"]
    assert client.http.delete("/remove/one").json()["faces_removed"] == 1
    assert found(client, faces[0]) == []


def test_of_two_photos_for_one_name_at_once_one_is_there_whole(
    client: Client, faces: list[bytes]
) -> None:
    for _ in range(5):
        with ThreadPoolExecutor(2) as callers:
            answers = list(callers.map(lambda image: put(client, "one", image), faces))
        assert 200 in [answer.status_code for answer in answers]
        for answer in answers:
            assert answer.status_code == 200 or problem(answer) == (503, "records_unavailable")
        assert_is_whole(client, faces)


def assert_is_whole(client: Client, faces: list[bytes]) -> None:
    """The photo "one" is one of the two, in its record, its bytes and every search."""
    record: Json = client.http.get("/photos/one").json()
    kept = client.http.get("/photos/one/image").content
    assert kept in faces
    winner = faces.index(kept)
    detected = client.detect(kept)["faces"]
    assert [face["bbox"] for face in record["faces"]] == [face["bbox"] for face in detected]
    assert found(client, faces[winner]) == ["one"]
    assert found(client, faces[1 - winner]) == []


def test_other_bytes_under_a_known_name_replace_the_photo_whole(
    client: Client, faces: list[bytes]
) -> None:
    for image in (*faces, *faces):
        answer = client.put_photo("one", image)
        assert answer["created"] is True
        assert client.http.get("/photos/one/image").content == image
        assert_is_whole(client, faces)
    assert len(client.listing()) == 1
