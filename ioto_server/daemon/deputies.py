"""Who accepts for workers that are down or stuck (SPEC 9: a worker's death resets no queued connection)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from ioto_server.config import Endpoint
from ioto_server.server import Listener

from .asking import order
from .hand import Hand


class Deputies:
    """Workers that accept at the sockets of others as well, for as long as those do not.

    Who connects to these sockets would wait for the next worker: the kernel does not choose again.
    """

    def __init__(
        self,
        places: Iterable[int],
        share: Callable[[int], list[Listener]],
        endpoints: Callable[[], tuple[Endpoint, ...]],
    ) -> None:
        """`share` gives the sockets of a place, `endpoints` what the configuration in force has."""
        self._places = places
        self._share = share
        self._endpoints = endpoints
        self._deputies: dict[int, Hand] = {}
        self._turn = asyncio.Lock()

    async def cover(self, serving: Iterable[Hand]) -> None:
        """Have each place without a worker that answers be served by another."""
        async with self._turn:
            able = [hand for hand in serving if not hand.stuck]
            manned = {hand.place for hand in able}
            for place, deputy in list(self._deputies.items()):
                if place in manned or deputy not in able:
                    del self._deputies[place]
                    await _relieve(deputy, place)
            for place in self._places:
                able = [hand for hand in able if hand.lives and not hand.stuck]
                if place not in manned and place not in self._deputies and able:
                    await self._deputise(min(able, key=lambda hand: hand.connections), place)

    async def _deputise(self, deputy: Hand, place: int) -> None:
        self._deputies[place] = deputy
        endpoints = self._endpoints()
        own = self._share(deputy.place)
        listeners = [one for one in self._share(place) if one not in own]
        await order(
            [deputy],
            "deputise",
            after=f"clients at the sockets of worker {place} wait",
            place=place,
            sockets=[one.socket for one in listeners],
            endpoints=[endpoints.index(one.endpoint) for one in listeners],
        )

    @asynccontextmanager
    async def recalled(self) -> AsyncIterator[None]:
        """End all deputising for as long as endpoints are changed."""
        async with self._turn:
            deputies, self._deputies = self._deputies, {}
            await asyncio.gather(*(_relieve(deputy, place) for place, deputy in deputies.items()))
            yield


async def _relieve(deputy: Hand, place: int) -> None:
    await order([deputy], "relieve", after="it does so when it answers again", place=place)
