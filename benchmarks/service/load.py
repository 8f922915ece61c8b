"""Asks a portal for things, at a rate that does not wait for its answers."""

import asyncio
import itertools
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import httpx

OK = 200
PIECE = 1 << 20


@dataclass(frozen=True)
class Latencies:
    """Of requests that were sent at fixed times, from the time at which each was to be sent.

    Attributes:
        seconds: Of those that were answered well.
        failed: How many were not.
    """

    seconds: Sequence[float]
    failed: int

    def quantile(self, percent: int) -> float:
        """Milliseconds."""
        return 1000 * statistics.quantiles(self.seconds, n=100)[percent - 1]


def client(url: str, token: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=f"{url}/api/v1",
        headers={"Authorization": f"Bearer {token}"},
        limits=httpx.Limits(max_connections=400, max_keepalive_connections=400),
        timeout=60,
        trust_env=False,
    )


async def read(
    url: str, token: str, paths: Sequence[str], *, rate: float, seconds: float
) -> Latencies:
    """Read the paths in turn, `rate` of them a second."""
    taken: list[float] = []
    failed = 0
    async with client(url, token) as portal:

        async def ask(path: str, due: float) -> None:
            nonlocal failed
            try:
                reply = await portal.get(path)
            except httpx.HTTPError:
                failed += 1
                return
            if reply.status_code == OK:
                taken.append(time.perf_counter() - due)
            else:
                failed += 1

        await portal.get(paths[0])  # the connection, and what a first request prepares
        begun = time.perf_counter()
        asked = []
        for number, path in zip(range(int(rate * seconds)), itertools.cycle(paths), strict=False):
            due = begun + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            asked.append(asyncio.create_task(ask(path, due)))
        await asyncio.gather(*asked)
    return Latencies(taken, failed)


async def upload(url: str, token: str, paths: Sequence[str], size: int) -> float:
    """Send a body of this size to every path at once; bytes a second of all together."""

    async def body() -> AsyncIterator[bytes]:
        left = size
        while left > 0:
            yield bytes(min(PIECE, left))
            left -= PIECE

    async with client(url, token) as portal:
        begun = time.perf_counter()
        replies = await asyncio.gather(
            *(
                portal.put(path, content=body(), headers={"Content-Length": str(size)})
                for path in paths
            )
        )
        took = time.perf_counter() - begun
    for reply in replies:
        reply.raise_for_status()
    return len(paths) * size / took


async def follow(url: str, tokens: Sequence[str], path: str, *, each: int, seconds: float) -> int:
    """Keep event streams of one job open for so long; how many were open to the end."""

    async def watch(token: str) -> bool:
        async with client(url, token) as portal, portal.stream("GET", path) as stream:
            if stream.status_code != OK:
                return False
            with_end = asyncio.get_running_loop().time() + seconds
            lines = stream.aiter_lines()
            while (left := with_end - asyncio.get_running_loop().time()) > 0:
                try:
                    await asyncio.wait_for(anext(lines), left)
                except TimeoutError:
                    break
                except StopAsyncIteration:
                    return False
        return True

    watched = await asyncio.gather(*(watch(token) for token in tokens for _ in range(each)))
    return sum(watched)
