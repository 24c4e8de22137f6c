"""Questions and orders to several workers: told to all at once, awaited with one limit.

A worker may be held by an action, or stopped by a debugger: nobody else waits for it longer than that, and
only once. Until it answers again it is taken for stuck, and asked without being waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Final

import structlog

from .hand import Hand
from .line import Message, Refused

_log = structlog.get_logger("ioto_server.workers")

# How long a worker may take to answer, and one that is known to be stuck, in seconds.
PATIENCE: Final = 5.0
_LITTLE: Final = 0.1

Answer = Message | Exception | None


async def order(hands: Iterable[Hand], command: str, *, after: str, **arguments: Any) -> list[int]:
    """Have workers carry out a command; returns the places of those that have not said in time that they did.

    The log names each of those, and what comes `after`. What has died meanwhile need do nothing.
    """
    late = []
    for hand, answer in (await _ask_all(hands, command, arguments)).items():
        if answer is None:
            late.append(hand.place)
            _log.warning("order not answered", worker=hand.place, pid=hand.pid, order=command, next=after)
        elif isinstance(answer, Refused):
            _log.error("worker refused", worker=hand.place, command=command, why=str(answer))
    return late


async def ask(hands: Iterable[Hand], command: str, **arguments: Any) -> dict[Hand, Message]:
    """What workers answer in time; those that are known to be stuck are not asked."""
    answers = await _ask_all([hand for hand in hands if not hand.stuck], command, arguments)
    return {hand: answer for hand, answer in answers.items() if isinstance(answer, dict)}


async def ask_one(hand: Hand, command: str, **arguments: Any) -> Answer:
    """What one worker has answered or refused; None for no answer in time."""
    return (await _ask_all([hand], command, arguments))[hand]


async def _ask_all(hands: Iterable[Hand], command: str, arguments: dict[str, Any]) -> dict[Hand, Answer]:
    """What each has answered or refused; None for no answer in time."""
    loop = asyncio.get_running_loop()
    asked = {hand: loop.create_task(_asked(hand, command, arguments)) for hand in hands}
    if not asked:
        return {}
    able = [task for hand, task in asked.items() if not hand.stuck]
    try:
        await asyncio.wait(able or asked.values(), timeout=PATIENCE if able else _LITTLE)
    finally:
        for task in asked.values():
            task.cancel()
    for hand, task in asked.items():
        if not task.done():
            hand.judge(stuck=True)
    return {hand: task.result() if task.done() else None for hand, task in asked.items()}


async def _asked(hand: Hand, command: str, arguments: dict[str, Any]) -> Answer:
    try:
        return await hand.ask(command, **arguments)
    except (Refused, ConnectionError) as error:
        return error
