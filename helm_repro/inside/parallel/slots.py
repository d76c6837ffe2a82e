"""How several processes share one number of requests in flight, exactly, whoever dies.

The parent lends slots and keeps account of who has how many, so the slots of a killed
worker return. The earliest started run is served first: its requests end sooner, and
its metrics then compute while the next run's requests wait for the network.

Traffic is three event counters per worker (eventfd(2)): asked, lent, returned. A worker's
thread waits in the kernel, without a thread that passes messages on.
"""

from __future__ import annotations

import dataclasses
import os


class Slots:
    """A worker's view: ``take`` waits for one of the slots, ``give`` returns it. Both from any thread."""

    def __init__(self) -> None:
        self.asked = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.lent = os.eventfd(0, os.EFD_SEMAPHORE | os.EFD_CLOEXEC)
        self.returned = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def take(self) -> None:
        os.eventfd_write(self.asked, 1)
        os.eventfd_read(self.lent)

    def give(self) -> None:
        os.eventfd_write(self.returned, 1)

    def close(self) -> None:
        for counter in (self.asked, self.lent, self.returned):
            os.close(counter)


@dataclasses.dataclass
class _Account:
    slots: Slots
    rank: int = 0
    waiting: int = 0
    lent: int = 0


class SlotDesk:
    """The parent's account of ``total`` slots."""

    def __init__(self, total: int):
        self._free = total
        self._accounts: dict[int, _Account] = {}

    def open(self, worker: int, slots: Slots) -> None:
        """Begin to serve a worker."""
        self._accounts[worker] = _Account(slots)

    def rank(self, worker: int, rank: int) -> None:
        """Serve a worker before those with a higher rank."""
        self._accounts[worker].rank = rank

    def serve(self) -> None:
        """Read all counters and lend what is free."""
        for account in self._accounts.values():
            account.waiting += _read(account.slots.asked)
            returned = _read(account.slots.returned)
            account.lent -= returned
            self._free += returned
        for account in sorted(self._accounts.values(), key=lambda account: account.rank):
            count = min(account.waiting, self._free)
            if count:
                account.waiting -= count
                account.lent += count
                self._free -= count
                os.eventfd_write(account.slots.lent, count)

    def close(self, worker: int) -> None:
        """Take back everything a worker has; it must have ended."""
        account = self._accounts.pop(worker)
        self._free += account.lent
        account.slots.close()
        self.serve()


def _read(counter: int) -> int:
    try:
        return os.eventfd_read(counter)
    except BlockingIOError:
        return 0
