"""An inference server with a GPU: pixels on CPU threads, networks in batches of what queued up."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import partial

from bench.capacity.model.clock import Clock, Process, Resume
from bench.capacity.model.cores import Cores, Pool, Thread
from bench.capacity.model.work import FULL, LATE, OK, Part, Work


@dataclass(frozen=True, slots=True)
class BatchTime:
    """How long a network takes for a batch: a fixed part, and a part for each image."""

    fixed: float
    """Seconds."""
    each: float
    """Seconds an image."""

    @classmethod
    def through(cls, one: float, many: float, size: int) -> BatchTime:
        """By the seconds of a batch of one and of a batch of `size`."""
        each = max(0.0, (many - one) / (size - 1))
        return cls(one - each, each)

    def of(self, images: int) -> float:
        """Seconds of so many images."""
        return self.fixed + self.each * images

    def times(self, factor: float) -> BatchTime:
        """So many times as long."""
        return BatchTime(self.fixed * factor, self.each * factor)


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU with the networks of a pack, and the CPU work beside it."""

    detect: BatchTime
    embed: BatchTime
    max_batch: int = 32
    """INFERENCE_MAX_BATCH."""
    sessions: int = 2
    """INFERENCE_SESSIONS: of each network; one prepares while the other computes."""
    pixel_threads: int = 8
    """INFERENCE_PIXEL_THREADS."""
    queue_items: int = 256
    """INFERENCE_QUEUE_ITEMS."""
    loop_factor: float = 2.0
    """Event loop's time of a call, over that without queues between the stages."""


class _Batches:
    """The queue of one network: a free session takes what is there, up to a limit."""

    def __init__(self, device: Thread, time: BatchTime, max_batch: int, sessions: int) -> None:
        self._device = device
        self._time = time
        self._max_batch = max_batch
        self._free = sessions
        self._waiting: deque[Resume] = deque()

    def put(self, resume: Resume) -> None:
        """One image; called back when its batch is done."""
        self._waiting.append(resume)
        self._take()

    def _take(self) -> None:
        while self._free and self._waiting:
            self._free -= 1
            size = min(len(self._waiting), self._max_batch)
            batch = [self._waiting.popleft() for _ in range(size)]
            self._device.put(self._time.of(size), partial(self._done, batch))

    def _done(self, batch: list[Resume]) -> None:
        self._free += 1
        for resume in batch:
            resume()
        self._take()


class GpuServer:
    """One process, one GPU."""

    def __init__(self, clock: Clock, cores: Cores, gpu: Gpu) -> None:
        """cores: of the container."""
        self._clock = clock
        self._gpu = gpu
        self._loop = Thread(cores)
        self._pixels = Pool(cores, gpu.pixel_threads)
        # A GPU does one batch at a time; that of the other session follows at once.
        self._device = Thread(Cores(clock, 1))
        self._detect = _Batches(self._device, gpu.detect, gpu.max_batch, gpu.sessions)
        self._embed = _Batches(self._device, gpu.embed, gpu.max_batch, gpu.sessions)
        self.in_flight = 0

    @property
    def gpu_seconds(self) -> float:
        """For how long the GPU has computed."""
        return self._device.used_seconds

    def analyze(self, work: Work, deadline: float) -> Process[int]:
        """As `Analyzer` says."""
        if self.in_flight >= self._gpu.queue_items:
            yield from self._loop.work(work.loop_refusal.seconds)
            return FULL
        self.in_flight += 1
        yield from self._on_loop(work.loop_before)
        is_late = self._clock.now > deadline
        if not is_late:
            yield from self._on_pixels(work.photo.decode)
            yield self._detect.put
            yield from self._on_pixels(work.photo.align)
            yield self._embed.put
        yield from self._on_loop(work.loop_after)
        self.in_flight -= 1
        return LATE if is_late else OK

    def _on_loop(self, part: Part) -> Process[None]:
        return self._loop.work(part.seconds * self._gpu.loop_factor, part.wakes)

    def _on_pixels(self, seconds: float) -> Process[None]:
        thread = yield from self._pixels.thread()
        yield from thread.work(seconds)
        self._pixels.give_back(thread)
