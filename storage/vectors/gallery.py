"""The faces of one space in memory: numbers in arrays, names beside them, exact answers.

A row takes its vector and about 240 bytes: a name is kept once as text. A face is found by a
dictionary of the texts that are there anyway; photos and revisions by their hashes in arrays,
because two dictionaries more and an object per photo would take a quarter of a vector of 512.
Looking through 100,000 hashes takes a hundredth of a search.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storage.identity import FaceId, PhotoKey, RevisionId
from storage.vectors.port import Collections, Embedding, FaceKey, Hit
from storage.vectors.ranking import best_rows, exact_scores, most_similar_first
from storage.vectors.shortlist import FROM_PROBES, close_scores, shortlist, slack_of

# Rows are kept in blocks that never move: growing copies nothing and needs no room twice.
BLOCK_ROWS = 4_096
# As many rows at a time as stay in a core's cache while several probes are compared with them.
_CACHED_ROWS = 512
# Below this part of all rows it is faster to gather those that are eligible than to compare all.
_NARROW = 4
# Up to so many names are looked for one by one.
_FEW = 8
_LEAST_CAPACITY = 64
_COLUMNS = _PHOTO, _REVISION, _COLLECTION = range(3)


@dataclass(frozen=True, slots=True)
class Query:
    """One search; see VectorStore.search."""

    probe: Embedding
    within: Collections
    limit: int
    minimum_score: float
    excluding: Sequence[PhotoKey]


class Gallery:
    """Rows of vectors with their names. Not for several threads at once."""

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self._count = 0
        self._blocks: list[NDArray[np.float32]] = []
        self._face_ids: list[FaceId] = []
        self._rows: dict[FaceId, int] = {}
        self._photo_ids: list[str] = []
        # None: the one that the face id names, as it does for every id of ours.
        self._revisions: list[RevisionId | None] = []
        # One line each for _PHOTO, _REVISION (hashes) and _COLLECTION (numbers).
        self._columns = np.empty((len(_COLUMNS), _LEAST_CAPACITY), np.int64)
        self._collection_names: list[str] = []
        self._collection_numbers: dict[str, int] = {}

    def __len__(self) -> int:
        return self._count

    def put(
        self, faces: Sequence[FaceKey], matrix: NDArray[np.float32], *, replace: bool = True
    ) -> None:
        """Store faces with their vectors, (n, dim). A known face is replaced, or left as it is."""
        for face, vector in zip(faces, matrix, strict=True):
            row = self._rows.get(face.face_id)
            if row is None:
                row = self._appended(face.face_id)
            elif not replace:
                continue
            self._write(row, face, vector)

    def remove_revisions(self, revisions: Iterable[RevisionId]) -> None:
        """Remove the faces of these revisions."""
        wanted = frozenset(revisions)
        rows = _rows_with(self._column(_REVISION), wanted)
        # From the end, so that the row that moves into a gap is never one that has to go.
        for row in sorted((row for row in rows if self._revision(row) in wanted), reverse=True):
            self._remove(row)

    def known(self, face_ids: Sequence[FaceId]) -> frozenset[FaceId]:
        """Which of these faces are there."""
        return frozenset(face_id for face_id in face_ids if face_id in self._rows)

    def search(self, queries: Sequence[Query]) -> list[list[Hit]]:
        """The answers to the queries, in their order."""
        answers: list[list[Hit]] = [[] for _ in queries]
        if not self._count:
            return answers
        wide = []
        for number, query in enumerate(queries):
            eligible = self._eligible(query)
            if eligible is not None:
                rows = np.flatnonzero(eligible)
                if len(rows) * _NARROW <= self._count:
                    answers[number] = self._hits(query, self._gathered(rows, query.probe), rows)
                    continue
            wide.append((number, query, eligible))
        if not wide:
            return answers
        probes = np.stack([query.probe for _, query, _ in wide])
        is_exact = len(wide) < FROM_PROBES
        scores = self._compared(probes) if is_exact else self._closely_compared(probes)
        for (number, query, eligible), row_scores in zip(wide, scores, strict=True):
            if eligible is not None:
                row_scores[~eligible] = -np.inf
            if is_exact:
                answers[number] = self._hits(query, row_scores, None)
            else:
                slack = slack_of(self.dim)
                rows = shortlist(row_scores, slack, query.limit, query.minimum_score)
                answers[number] = self._hits(query, self._scores_of(rows, query.probe), rows)
        return answers

    def _closely_compared(self, probes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Close scores of all rows for each probe, (probes, rows)."""
        scores = np.empty((len(probes), self._count), np.float32)
        for start, rows in self._filled(BLOCK_ROWS):
            scores[:, start : start + len(rows)] = close_scores(rows, probes)
        return scores

    def _compared(self, probes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores of all rows for each probe, (probes, rows)."""
        scores = np.empty((len(probes), self._count), np.float32)
        step = BLOCK_ROWS if len(probes) == 1 else _CACHED_ROWS
        for start, rows in self._filled(step):
            exact_scores(rows, probes, out=scores[:, start : start + len(rows)])
        return scores

    def _scores_of(self, rows: NDArray[np.intp], probe: Embedding) -> NDArray[np.float32]:
        """Scores of these rows (ascending) for the probe, the faster way."""
        if len(rows) * _NARROW <= self._count:
            return self._gathered(rows, probe)
        scores: NDArray[np.float32] = self._compared(probe[None])[0][rows]
        return scores

    def _gathered(self, rows: NDArray[np.intp], probe: Embedding) -> NDArray[np.float32]:
        """Scores of these rows (ascending) for the probe."""
        scores = np.empty(len(rows), np.float32)
        done = 0
        while done < len(rows):
            block = int(rows[done]) // BLOCK_ROWS
            end = int(np.searchsorted(rows, (block + 1) * BLOCK_ROWS))
            end = min(end, done + _CACHED_ROWS)
            vectors = self._blocks[block][rows[done:end] - block * BLOCK_ROWS]
            exact_scores(vectors, probe, out=scores[done:end])
            done = end
        return scores

    def _filled(self, step: int) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """The rows that are there, at most `step` at a time, after the number of those before."""
        for start in range(0, self._count, step):
            block, offset = divmod(start, BLOCK_ROWS)
            yield start, self._blocks[block][offset : offset + min(step, self._count - start)]

    def _eligible(self, query: Query) -> NDArray[np.bool_] | None:
        """Which rows the query may find, (rows,); None: all."""
        eligible = None
        if query.within is not None:
            # One flag per collection, looked up for each row.
            wanted = np.zeros(len(self._collection_numbers), np.bool_)
            for name in query.within:
                number = self._collection_numbers.get(name)
                if number is not None:
                    wanted[number] = True
            eligible = wanted[self._column(_COLLECTION)]
        if query.excluding:
            excluded = frozenset(query.excluding)
            rows = _rows_with(self._column(_PHOTO), excluded)
            if eligible is None:
                eligible = np.ones(self._count, np.bool_)
            eligible[[row for row in rows if self._photo(row) in excluded]] = False
        return eligible

    def _hits(
        self, query: Query, scores: NDArray[np.float32], rows: NDArray[np.intp] | None
    ) -> list[Hit]:
        """The best of the scores, in order; they are of `rows`, or of all."""
        best = best_rows(scores, query.limit, query.minimum_score)
        of_rows = best if rows is None else rows[best]
        hits = [
            Hit(self._face_ids[row], self._photo(row), self._revision(row), score)
            for row, score in zip(of_rows.tolist(), scores[best].tolist(), strict=True)
        ]
        hits.sort(key=most_similar_first)
        return hits[: query.limit]

    def _appended(self, face_id: FaceId) -> int:
        """A new row at the end, yet to be written."""
        row = self._count
        if row == self._columns.shape[1]:
            grown = np.empty((len(_COLUMNS), row + max(_LEAST_CAPACITY, row // 8)), np.int64)
            grown[:, :row] = self._columns
            self._columns = grown
        if row == len(self._blocks) * BLOCK_ROWS:
            # Memory that is not written to is not taken: an almost empty block costs nothing.
            self._blocks.append(np.empty((BLOCK_ROWS, self.dim), np.float32))
        self._count += 1
        self._face_ids.append(face_id)
        self._rows[face_id] = row
        self._photo_ids.append("")
        self._revisions.append(None)
        return row

    def _write(self, row: int, face: FaceKey, vector: NDArray[np.float32]) -> None:
        self._blocks[row // BLOCK_ROWS][row % BLOCK_ROWS] = vector
        collection = self._collection_number(face.photo.collection_id)
        photo_id = face.photo.photo_id
        # Faces of one photo come together: they share one text.
        if row and self._photo_ids[row - 1] == photo_id:
            photo_id = self._photo_ids[row - 1]
        self._photo_ids[row] = photo_id
        self._revisions[row] = None if _named_by(face.face_id) == face.revision else face.revision
        self._columns[:, row] = (
            hash(face.photo),
            hash(face.revision),
            collection,
        )

    def _photo(self, row: int) -> PhotoKey:
        collection = self._collection_names[self._columns[_COLLECTION, row]]
        return PhotoKey(collection, self._photo_ids[row])

    def _revision(self, row: int) -> RevisionId:
        return self._revisions[row] or _named_by(self._face_ids[row])

    def _collection_number(self, collection_id: str) -> int:
        number = self._collection_numbers.get(collection_id)
        if number is None:
            number = self._collection_numbers[collection_id] = len(self._collection_names)
            self._collection_names.append(collection_id)
        return number

    def _column(self, which: int) -> NDArray[np.int64]:
        return self._columns[which, : self._count]

    def _remove(self, row: int) -> None:
        """Move the last row into this one's place."""
        self._count -= 1
        last = self._count
        self._rows[self._face_ids[last]] = row
        del self._rows[self._face_ids[row]]
        self._face_ids[row] = self._face_ids[last]
        self._photo_ids[row] = self._photo_ids[last]
        self._revisions[row] = self._revisions[last]
        for names in (self._face_ids, self._photo_ids, self._revisions):
            names.pop()
        self._columns[:, row] = self._columns[:, last]
        self._blocks[row // BLOCK_ROWS][row % BLOCK_ROWS] = self._blocks[last // BLOCK_ROWS][
            last % BLOCK_ROWS
        ]
        # One empty block stays, so that a row that comes and goes makes none each time.
        if len(self._blocks) > last // BLOCK_ROWS + 2:
            self._blocks.pop()


def _named_by(face_id: FaceId) -> RevisionId:
    """The revision in a face id of ours; of another's, whatever stands there."""
    return RevisionId(face_id[2:].rpartition("_")[0])


def _rows_with(hashes: NDArray[np.int64], names: frozenset[str] | frozenset[PhotoKey]) -> list[int]:
    """Rows whose hash is that of one of the names: candidates, the names must be compared yet."""
    wanted = np.fromiter((hash(name) for name in names), np.int64, len(names))
    if len(wanted) <= _FEW:
        rows = [np.flatnonzero(hashes == each) for each in wanted]
        return np.unique(np.concatenate(rows)).tolist() if rows else []
    return np.flatnonzero(np.isin(hashes, wanted)).tolist()
