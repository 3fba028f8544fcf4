"""Following a run: one screen on a terminal, lines in a pipe."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from ..local.display import Display
from .cluster import Cluster
from .keys import pressed_keys
from .overview import headline, stages
from .printing import overview
from .seen import Seen, SeenEvent
from .watching import Look, looks

_EVENTS = 5
HINT = "q quits, l shows the logs"
"""The last line of the screen, while there is no trouble."""
OpenLogs = Callable[[Seen], Awaitable[None]]


class Screen:
    """What is on the screen: the newest look, the last events, the rewards so far."""

    def __init__(self) -> None:
        self.run: Seen | None = None
        self._events: deque[SeenEvent] = deque(maxlen=_EVENTS)
        self._rewards: list[float] = []
        self._trouble = ""

    def take(self, look: Look) -> None:
        """Show another look."""
        self.run, self._trouble = look.run, ""
        self._events.extend(look.events)
        reward = look.run.status.metrics.get("reward")
        if reward is not None and self._rewards[-1:] != [reward]:
            self._rewards.append(reward)

    def complain(self, words: str) -> None:
        """Show that there is no answer, until there is one."""
        self._trouble = words

    def render(self, now: datetime, width: int) -> RenderableType:
        """The screen."""
        if self.run is None:
            return Text("looking ...")
        below = Text(self._trouble or HINT, style="yellow" if self._trouble else "dim")
        return Group(overview(self.run, self._events, now, width, self._rewards), below)


async def follow(cluster: Cluster, name: str, console: Console, open_logs: OpenLogs) -> Seen | None:
    """Follow a run until it ends; the run as it ended, None where the reader had enough before.

    Raises:
        RemoteError: the run was deleted, or the API server is away for long.
    """
    if not console.is_terminal:
        return await _in_lines(cluster, name, console)
    screen = Screen()
    while True:
        key = await _on_screen(cluster, name, console, screen)
        if key == "l" and screen.run is not None:
            await open_logs(screen.run)
        else:
            return None if key else screen.run


async def _on_screen(cluster: Cluster, name: str, console: Console, screen: Screen) -> str:
    """Show the run until it ends (then empty) or a key is pressed that leads elsewhere."""
    with Live(console=console, auto_refresh=False) as live, pressed_keys() as keys:

        def show() -> None:
            live.update(screen.render(datetime.now(UTC), console.width), refresh=True)

        def complain(words: str) -> None:
            screen.complain(words)
            show()

        async def look_on() -> None:
            async for look in looks(cluster, name, trouble=complain):
                screen.take(look)
                show()

        show()
        looking = asyncio.create_task(look_on())
        try:
            while not looking.done():
                pressing = asyncio.create_task(keys.get())
                await asyncio.wait([looking, pressing], return_when=asyncio.FIRST_COMPLETED)
                if pressing.done() and pressing.result() in ("q", "l"):
                    return pressing.result()
                pressing.cancel()
            looking.result()
            return ""
        finally:
            looking.cancel()


async def _in_lines(cluster: Cluster, name: str, console: Console) -> Seen | None:
    """A line for each change of what the run is doing, for each event, and now and then for the progress."""
    run: Seen | None = None
    with Display(console) as display:
        async for look in looks(cluster, name, trouble=lambda words: display.line(words, warning=True)):
            words = headline(look.run.metadata, look.run.status, look.run.rounds)
            if run is None or words != headline(run.metadata, run.status, run.rounds):
                display.line(words)
            run = look.run
            for event in look.events:
                display.event(event.at or datetime.now(UTC), event.type, event.reason, event.message)
            display.progress(stages(run.metadata, run.status, datetime.now(UTC)))
    return run
