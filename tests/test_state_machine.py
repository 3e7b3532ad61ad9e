"""The protocol of the table, checked in every interleaving of its owner and its exec threads.

A model in plain Python does what native/table.c, exec.c and pool.c do, one atomic operation a
step, and a search visits every state that small tables can get into, whoever goes next. What a
test with threads finds once in a million runs, this finds always; and the tests that break the
model on purpose show that it does.

How a slot may change its state is said nowhere here. Each step asks the table of transitions that
the C library exports (ASYNC_SYSCALL_TRANSITIONS in native/include/async_syscall.h); a step that
isn't in it is an error, and so is a row that nobody takes.

What is checked:

* each request ends exactly once, reaped or withdrawn, and it runs at most once;
* the ring never holds a slot twice, and so never more entries than slots;
* from every state the end can still be reached: all requests have ended, the owner has taken
  every result, and every thread has seen END or has left. Nobody waits for ever.

The model has no watch (pool.c): a wake-up that only the watch would make up for counts as lost. A
call never blocks here; that a thread is stuck is the one thing that is the watch's to find out.
That it writes threads off, perhaps wrongly, is in the model. Memory is sequentially consistent,
as are the operations that the C code uses where it matters; that it does is for ThreadSanitizer
and the C tests.
"""

from __future__ import annotations

import gc
import itertools
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import pytest

from asyncsys_loop._native import ffi, lib

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

pytestmark = pytest.mark.model

ARMED: Final = -1  # COMPLETED_ARMED: the next push writes the eventfd
POLLED: Final = -2  # COMPLETED_POLLED: the owner comes back by itself

Rows = frozenset[tuple[str, str, str]]


def exported_rows() -> Rows:
    """The rows (from, to, who) of the C library's table of transitions."""
    rows = set()
    i = 0
    while (row := lib.async_syscall_transitions[i]).who != ffi.NULL:
        start = getattr(row, "from")
        rows.add(tuple(ffi.string(text).decode() for text in (start, row.to, row.who)))
        i += 1
    return frozenset((str(a), str(b), str(c)) for a, b, c in rows)


ROWS: Final = exported_rows()


class ProtocolError(Exception):
    """The protocol is broken."""


@dataclass(frozen=True)
class Setting:
    """What happens, and what is broken on purpose."""

    slots: int = 2
    requests: int = 2
    threads: int = 2
    withdrawals: int = 0
    write_offs: int = 0  # times that the watch takes all awake threads for stuck
    time_outs: int = 0  # times that a thread has been idle for too long, and leaves
    broken: str = ""
    rows: Rows = ROWS


class Thread(NamedTuple):
    """An exec thread: where it is, and its local variables."""

    at: str
    head: int = 0
    slot: int = 0
    first: int = 0
    epoch: int = 0


class World:
    """Everything there is at one moment. Sequences are tuples: copies share them."""

    # The table, as in async_syscall.h.
    state: tuple[str, ...]
    pending: tuple[int, ...]
    head: int
    tail: int
    completed: int
    next: tuple[int, ...]
    awake: tuple[int, int]  # epoch and count
    doorbell: int
    sleepers: int
    event_fd: bool  # whether it is readable

    # The owner's and the pool's own memory.
    owner: str  # where the owner is: its next step
    slot: int  # a local variable of the owner
    number: int  # another
    free: tuple[int, ...]
    entry_ends: tuple[int, ...]
    unrung: bool
    again: bool
    lock: bool  # of the pool
    threads: tuple[Thread, ...]

    # What is left of the setting, and what the checker keeps in mind.
    withdrawals: int
    write_offs: int
    time_outs: int
    request: tuple[int, ...]  # by slot: the last request that it held
    fates: tuple[str, ...]  # of each request: "", "ran", "withdrawn" or "reaped"

    def copy(self) -> World:
        world = World()
        world.__dict__.update(self.__dict__)
        return world

    def key(self) -> object:
        return tuple(self.__dict__.values())


T = TypeVar("T")


def put(values: tuple[T, ...], index: int, value: T) -> tuple[T, ...]:
    """The same sequence with one other element."""
    return (*values[:index], value, *values[index + 1 :])


class Model:
    """One small table, its owner and its exec threads: all steps that can be taken from a world."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.taken: set[tuple[str, str, str]] = set()  # rows of the table of transitions
        self.steps: dict[str, Callable[[World, Thread], Thread | None]] = {
            name.removeprefix("exec_"): getattr(self, name)
            for name in dir(self)
            if name.startswith("exec_")
        }

    def first_world(self) -> World:
        setting = self.setting
        world = World()
        world.state = ("NONE",) * setting.slots
        world.pending = (0,) * setting.slots
        world.head = world.tail = 0
        world.completed = ARMED
        world.next = (0,) * setting.slots
        world.awake = (0, 0)
        world.doorbell = world.sleepers = 0
        world.event_fd = False
        world.owner = "loop"
        world.slot = world.number = 0
        world.free = tuple(range(setting.slots))
        world.entry_ends = (0,) * setting.slots
        world.unrung = world.again = world.lock = False
        world.threads = (Thread("join"),) * setting.threads
        world.withdrawals = setting.withdrawals
        world.write_offs = setting.write_offs
        world.time_outs = setting.time_outs
        world.request = (0,) * setting.slots
        world.fates = ()
        return world

    def broken(self, how: str) -> bool:
        return self.setting.broken == how

    def change(self, world: World, slot: int, state: str, who: str) -> None:
        """The only place where a slot gets another state: by a row of the table."""
        row = (world.state[slot], state, who)
        if row not in self.setting.rows:
            raise ProtocolError(f"{who} takes slot {slot} from {row[0]} to {state}")
        self.taken.add(row)
        world.state = put(world.state, slot, state)

    def end_request(self, world: World, slot: int, fate: str, expected: str) -> None:
        request = world.request[slot]
        if world.fates[request] != expected:
            raise ProtocolError(f"request {request}: {world.fates[request] or 'new'}, then {fate}")
        world.fates = put(world.fates, request, fate)

    def check(self, world: World) -> None:
        entries = [world.pending[i % self.setting.slots] for i in range(world.head, world.tail)]
        # END comes on top of whatever withdrawn requests have left behind.
        if len(set(entries)) != len(entries) and "END" not in world.state:
            raise ProtocolError(f"the ring holds a slot twice: {entries}")
        if world.sleepers < 0 or world.doorbell < 0 or world.awake[1] < 0:
            raise ProtocolError("a count is below zero")

    def is_end(self, world: World) -> bool:
        return (
            world.owner == "ended"
            and len(world.fates) == self.setting.requests
            and all(fate in {"withdrawn", "reaped"} for fate in world.fates)
            and all(thread.at in {"none", "end"} for thread in world.threads)
        )

    def successors(self, world: World) -> Iterator[tuple[str, World]]:
        """Every step that somebody can take now, and the world after it."""
        for i, thread in enumerate(world.threads):
            if thread.at in {"none", "end"}:
                continue
            after = world.copy()
            moved = self.steps[thread.at](after, thread)
            if moved is not None:
                after.threads = self.sorted_threads(put(after.threads, i, moved))
                yield f"thread {i}: {thread.at}", after
            if thread.at == "token" and world.time_outs:
                after = world.copy()
                after.time_outs -= 1
                after.sleepers -= 1
                after.threads = self.sorted_threads(put(after.threads, i, Thread("late_token")))
                yield f"thread {i}: time-out", after
        if world.write_offs and world.awake[1]:
            after = world.copy()
            after.write_offs -= 1
            after.awake = (world.awake[0] + 1, 0)
            yield "watch: write off", after
        for name in self.owner_choices(world):
            after = world.copy()
            if getattr(self, f"owner_{name}")(after) is not False:
                yield f"owner: {name}", after

    @staticmethod
    def sorted_threads(threads: tuple[Thread, ...]) -> tuple[Thread, ...]:
        """Threads are alike: which of them is where makes no difference."""
        return tuple(sorted(threads))

    # exec.c: one function for each atomic operation. It returns the thread after it, or None
    # where the thread has to wait. Operations are taken together where what lies between them
    # makes no difference to anybody else: a ring entry that the head hasn't passed doesn't
    # change, and nobody but its exec thread looks at a slot that is EXECUTING, or at one that is
    # on no stack yet.

    def exec_join(self, w: World, t: Thread) -> Thread:
        w.awake = (w.awake[0], w.awake[1] + 1)
        return Thread("claim_head", epoch=w.awake[0])

    def exec_claim_head(self, w: World, t: Thread) -> Thread:
        return Thread("claim_tail", head=w.head, epoch=t.epoch)

    def exec_claim_tail(self, w: World, t: Thread) -> Thread:
        if t.head == w.tail:  # it spins, which is only another look, and then goes to sleep
            return Thread("leave_awake", epoch=t.epoch)
        return t._replace(at="claim_end", slot=w.pending[t.head % self.setting.slots])

    def exec_claim_end(self, w: World, t: Thread) -> Thread:
        if w.state[t.slot] != "END":
            return t._replace(at="claim_take")
        if self.broken("takes END out of the ring"):
            w.head = max(w.head, t.head + 1)
        return Thread("end")

    def exec_claim_take(self, w: World, t: Thread) -> Thread:
        if w.head != t.head and not self.broken("takes an entry without compare-and-swap"):
            return Thread("claim_head", epoch=t.epoch)
        w.head = t.head + 1
        return t._replace(at="claim_slot", head=0)

    def exec_claim_slot(self, w: World, t: Thread) -> Thread:
        if w.state[t.slot] != "HASCALL" and not self.broken("claims whatever is there"):
            return Thread("claim_head", epoch=t.epoch)
        self.change(w, t.slot, "EXECUTING", "EXEC")
        return t._replace(at="run")

    def exec_run(self, w: World, t: Thread) -> Thread:
        self.end_request(w, t.slot, "ran", "")
        self.change(w, t.slot, "COMPLETED", "EXEC")
        w.next = put(w.next, t.slot, w.completed)
        return t._replace(at="push", first=w.completed)

    def exec_push(self, w: World, t: Thread) -> Thread:
        if w.completed != t.first and not self.broken("pushes without compare-and-swap"):
            w.next = put(w.next, t.slot, w.completed)
            return t._replace(first=w.completed)
        w.completed = t.slot
        armed = t.first == ARMED
        return Thread("notify" if armed else "look_at_epoch", epoch=t.epoch)

    def exec_notify(self, w: World, t: Thread) -> Thread:
        w.event_fd = True
        return t._replace(at="look_at_epoch")

    def exec_look_at_epoch(self, w: World, t: Thread) -> Thread:
        written_off = w.awake[0] != t.epoch
        return Thread("join") if written_off else self.exec_claim_head(w, t)

    def exec_leave_awake(self, w: World, t: Thread) -> Thread:
        if w.awake[0] == t.epoch and w.awake[1]:
            w.awake = (t.epoch, w.awake[1] - 1)
        return Thread("sleepers")

    def exec_sleepers(self, w: World, t: Thread) -> Thread:
        w.sleepers += 1
        return Thread("token" if self.broken("sleeps without a second look") else "look_head")

    def exec_look_head(self, w: World, t: Thread) -> Thread:
        return Thread("look_tail", head=w.head)

    def exec_look_tail(self, w: World, t: Thread) -> Thread:
        return Thread("token" if t.head == w.tail else "stay_awake")

    def exec_stay_awake(self, w: World, t: Thread) -> Thread:
        w.sleepers -= 1
        return Thread("join")

    def exec_token(self, w: World, t: Thread) -> Thread | None:
        if not w.doorbell:
            return None  # asleep: FUTEX_WAIT looks at the word and falls asleep in one step
        w.doorbell -= 1
        return Thread("woken")

    def exec_woken(self, w: World, t: Thread) -> Thread:
        w.sleepers -= 1
        return self.exec_read_epoch(w, t)

    def exec_read_epoch(self, w: World, t: Thread) -> Thread:
        return Thread("claim_head", epoch=w.awake[0])

    def exec_late_token(self, w: World, t: Thread) -> Thread:
        if not w.doorbell:
            return Thread("leave_lock")
        w.doorbell -= 1
        return Thread("read_epoch")

    # pool.c, worker_main(): a thread that was idle for too long.

    def exec_leave_lock(self, w: World, t: Thread) -> Thread | None:
        if w.lock:
            return None
        w.lock = True
        return Thread("left" if self.broken("leaves without a look at the ring") else "leave_head")

    def exec_leave_head(self, w: World, t: Thread) -> Thread:
        return Thread("leave_tail", head=w.head)

    def exec_leave_tail(self, w: World, t: Thread) -> Thread:
        if t.head == w.tail:
            return Thread("left" if self.broken("leaves a token behind") else "leave_token")
        w.lock = False
        return Thread("join")

    def exec_leave_token(self, w: World, t: Thread) -> Thread:
        if not w.doorbell:
            return Thread("left")
        w.lock = False
        return Thread("join")

    def exec_left(self, w: World, t: Thread) -> Thread:
        w.lock = False
        return Thread("none")

    # table.c and pool.c, the owner: an event loop that submits and withdraws whenever it likes,
    # rings when it has submitted, and sleeps until it is told. A function returns False where it
    # has to wait.

    def owner_choices(self, w: World) -> list[str]:
        if w.owner != "loop":
            return [w.owner] if w.owner != "ended" else []
        choices = []
        if len(w.fates) < self.setting.requests and w.free:
            choices.append("submit")
        if w.withdrawals and len(w.free) < self.setting.slots:
            choices.append("withdraw")
        if w.unrung:
            choices.append("ring")
        elif w.again:
            choices.append("drain")
        elif w.event_fd:
            choices.append("notified")
        if len(w.fates) == self.setting.requests and len(w.free) == self.setting.slots:
            choices.append("post_end")
        return choices

    def owner_submit(self, w: World) -> None:
        w.slot, w.free = w.free[-1], w.free[:-1]
        w.request = put(w.request, w.slot, len(w.fates))
        w.fates = (*w.fates, "")
        if self.broken("looks for an old entry too early"):
            w.number = w.head
            w.owner = "late_state"
        else:
            self.owner_late_state(w)

    def owner_late_state(self, w: World) -> None:
        self.change(w, w.slot, "HASCALL", "OWNER")
        w.owner = "publish"

    def owner_publish(self, w: World) -> None:
        head = w.number if self.broken("looks for an old entry too early") else w.head
        w.number = 0
        if w.entry_ends[w.slot] > head and not self.broken("appends an entry in any case"):
            self.published(w)
        else:
            w.owner = "append"

    def owner_append(self, w: World) -> None:
        w.pending = put(w.pending, w.tail % self.setting.slots, w.slot)
        w.entry_ends = put(w.entry_ends, w.slot, w.tail + 1)
        w.tail += 1
        self.published(w)

    def published(self, w: World) -> None:
        ending = w.state[w.slot] == "END"
        w.owner = "ring_all" if ending else "loop"
        w.number = self.setting.threads if ending else 0
        w.unrung = not ending
        w.slot = 0

    def owner_withdraw(self, w: World) -> None:
        """Asks for the first slot that isn't free: which one makes no difference to the others."""
        w.withdrawals -= 1
        slot = next(slot for slot in range(self.setting.slots) if slot not in w.free)
        if w.state[slot] != "HASCALL" and not self.broken("withdraws whatever is there"):
            return  # somebody has claimed it
        self.change(w, slot, "NONE", "OWNER")
        self.end_request(w, slot, "withdrawn", "")
        w.free = (*w.free, slot)

    def owner_ring(self, w: World) -> None:
        w.unrung = False
        w.owner = "ring_awake" if w.tail != w.head else "loop"

    def owner_ring_awake(self, w: World) -> None:
        w.owner = "loop" if w.awake[1] else "wake_tokens"

    def owner_wake_tokens(self, w: World) -> None:
        w.number = w.doorbell
        w.owner = "wake_sleepers"

    def owner_wake_sleepers(self, w: World) -> None:
        all_run = all(thread.at != "none" for thread in w.threads)
        enough = w.number and w.sleepers <= w.number and all_run
        w.owner = "loop" if enough else "wake_count"
        w.number = 0

    def owner_wake_count(self, w: World) -> None:
        w.awake = (w.awake[0], w.awake[1] + 1)
        w.owner = "wake_ring"

    def owner_wake_ring(self, w: World) -> None:
        w.doorbell += 1
        w.owner = "wake_start"

    def owner_wake_start(self, w: World) -> None:
        w.owner = "loop" if w.sleepers else "start"

    def owner_start(self, w: World) -> bool | None:
        """start_worker(), which holds the lock from its beginning to its end."""
        if w.lock:
            return False
        for i, thread in enumerate(w.threads):
            if thread.at == "none":
                w.threads = self.sorted_threads(put(w.threads, i, Thread("join")))
                break
        w.owner = "loop"
        return None

    def owner_notified(self, w: World) -> None:
        if self.broken("reads the eventfd after it is armed"):
            w.number = 1
        else:
            w.event_fd = False
        w.owner = "drain"

    def owner_drain(self, w: World) -> None:
        """The exchange, and the walk through the stack: nobody else touches what it took."""
        first, w.completed = w.completed, POLLED
        w.again = False
        count = 0
        while first >= 0:
            self.end_request(w, first, "reaped", "ran")
            self.change(w, first, "NONE", "OWNER")
            w.free = (*w.free, first)
            first = w.next[first]
            count += 1
        if count and len(w.free) != self.setting.slots:
            w.again = not self.broken("forgets to come back")
            w.owner = "loop"
        else:
            w.owner = "arm"

    def owner_arm(self, w: World) -> None:
        if w.completed != POLLED and not self.broken("arms without a second look"):
            w.owner = "drain"
            return
        w.completed = ARMED
        w.owner = "read_event_fd" if w.number else "loop"

    def owner_read_event_fd(self, w: World) -> None:
        w.number = 0
        w.event_fd = False
        w.owner = "loop"

    def owner_post_end(self, w: World) -> None:
        w.slot, w.free = w.free[-1], w.free[:-1]
        self.change(w, w.slot, "END", "OWNER")
        w.owner = "publish" if self.broken("serves END through an old entry") else "append"

    def owner_ring_all(self, w: World) -> None:
        w.doorbell += 1
        w.number -= 1
        w.owner = "ring_all" if w.number else "ended"


class Signals(NamedTuple):
    """The world of Interruption."""

    owner: str = "look"
    thread: str = "enter"
    call: int = 0  # which of the two the thread is at
    runner: tuple[str, str] = ("", "")  # "", or flags: "T"hread, "!" signalling, "+" signalled
    seen: str = ""  # what the owner, or the thread, has last read of a runner
    seen_by_thread: str = ""
    queued: int = 0  # signals that the thread hasn't taken
    left: int = 2  # how often the owner will interrupt

    def key(self) -> object:
        return self


class Interruption:
    """An exec thread that runs two calls, and an owner that interrupts the first, again and again.

    It follows run() in exec.c and exec_interrupt() in executor_threads.c. A signal ends the call
    that it meets; one that was queued while the thread ran in user mode ends the next call, unless
    the thread has taken it by then. The second call must never be ended.
    """

    def __init__(self, broken: str = "") -> None:
        self.broken = broken

    def first_world(self) -> Signals:
        return Signals()

    def check(self, world: Signals) -> None:
        if world.thread == "interrupted" and world.call == 1:
            raise ProtocolError("the signal hits the next call")

    def is_end(self, world: Signals) -> bool:
        return world.owner == "done" and world.thread == "done" and world.runner == ("", "")

    def successors(self, w: Signals) -> Iterator[tuple[str, Signals]]:
        if w.thread != "done":
            for after in self.thread_steps(w):
                yield f"thread: {w.thread} {w.call}", after
        if w.queued and w.thread not in {"call", "done"}:
            yield "thread: takes a signal in user mode", w._replace(queued=w.queued - 1)
        if w.owner != "done":
            yield f"owner: {w.owner}", self.owner_step(w)

    def thread_steps(self, w: Signals) -> Iterable[Signals]:
        match w.thread:
            case "enter":
                return [w._replace(runner=put_in(w.runner, w.call, "T"), thread="call")]
            case "call" if w.queued:
                return [w._replace(queued=0, thread="interrupted")]
            case "call" | "interrupted":
                return [w._replace(thread="leave")]
            case "leave" if w.runner[w.call] == "T":
                return [w._replace(runner=put_in(w.runner, w.call, ""), thread="next")]
            case "leave":
                return [w._replace(thread="read")]
            case "read" if "!" in w.runner[w.call] and self.broken != "doesn't wait":
                return []
            case "read":
                return [w._replace(thread="clear", seen_by_thread=w.runner[w.call])]
            case "clear":
                known = w.runner[w.call] == w.seen_by_thread
                after = w._replace(seen_by_thread="")
                if not known and self.broken not in {"clears by a store", "doesn't wait"}:
                    return [after._replace(thread="read")]
                runner = put_in(w.runner, w.call, "")
                return [after._replace(runner=runner, thread="getppid")]
            case "getppid":
                taken = w.queued if self.broken == "makes no call in between" else 0
                return [w._replace(queued=taken, thread="next")]
            case _:
                return [w._replace(call=1, thread="enter") if w.call == 0 else self.end(w)]

    @staticmethod
    def end(w: Signals) -> Signals:
        return w._replace(thread="done", queued=0)

    def owner_step(self, w: Signals) -> Signals:
        match w.owner:
            case "look" if not w.left:
                return w._replace(owner="done")
            case "look" if not w.runner[0]:
                return w._replace(left=w.left - 1)  # -EAGAIN
            case "look":
                at = "kill" if self.broken == "doesn't hold the thread" else "hold"
                return w._replace(owner=at, seen=w.runner[0], left=w.left - 1)
            case "hold" if w.runner[0] != w.seen:
                return w._replace(owner="look", seen="")
            case "hold":
                held = "".join(sorted({*w.seen, "!"}))
                return w._replace(owner="kill", seen="", runner=put_in(w.runner, 0, held))
            case "kill":
                queued = w.queued + (w.thread != "done")
                return w._replace(owner="let go", seen="", queued=queued)
            case _:
                released = put_in(w.runner, 0, "+T")
                if self.broken == "doesn't hold the thread":
                    released = w.runner
                return w._replace(owner="look", runner=released)


def put_in(runner: tuple[str, str], call: int, flags: str) -> tuple[str, str]:
    return (flags, runner[1]) if call == 0 else (runner[0], flags)


def explore(model: Any) -> None:
    """Visit every world that can be reached. Raises ProtocolError, with the way to it."""
    first: Any = model.first_world()
    # Worlds are numbered as they are met, the nearest first.
    number = {first.key(): 0}
    came_from: list[tuple[int, str]] = [(-1, "")]
    before: list[list[int]] = [[]]
    ends: list[int] = []
    queue: deque[Any] = deque([first])

    def way_to(world: int) -> str:
        steps = []
        while world > 0:
            world, step = came_from[world]
            steps.append(step)
        return "\n".join(reversed(steps))

    for current in itertools.count():
        if not queue:
            break
        world = queue.popleft()
        if model.is_end(world):
            ends.append(current)
        try:
            for step, after in model.successors(world):
                known = number.setdefault(after.key(), len(number))
                if known == len(before):
                    model.check(after)
                    queue.append(after)
                    came_from.append((current, step))
                    before.append([])
                before[known].append(current)
        except ProtocolError as error:
            raise ProtocolError(f"{error}, after this:\n{way_to(current)}") from None

    # Backwards from the ends: who isn't met there waits for ever.
    met = set(ends)
    while ends:
        for world_before in before[ends.pop()]:
            if world_before not in met:
                met.add(world_before)
                ends.append(world_before)
    for current in range(len(number)):
        if current not in met:
            raise ProtocolError(f"somebody waits for ever after this:\n{way_to(current)}")


@pytest.fixture(autouse=True)
def _no_garbage() -> Iterator[None]:
    """Worlds have no cycles, and the collector would go through all of them again and again."""
    gc.disable()
    yield
    gc.enable()


SETTINGS: Final = {
    "two threads": Setting(),
    "withdrawing": Setting(withdrawals=2),
    "three slots": Setting(slots=3, requests=3),
    "stack used again": Setting(slots=2, requests=3, threads=1, withdrawals=1, time_outs=1),
    "leaving": Setting(time_outs=2),
    "leaving one by one": Setting(slots=1, requests=3, time_outs=2),
    "written off": Setting(write_offs=1),
    "written off while leaving": Setting(slots=1, write_offs=1, time_outs=1),
}


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
def test_every_interleaving_ends_well(setting: Setting) -> None:
    explore(Model(setting))


def test_every_row_of_the_table_is_taken() -> None:
    model = Model(Setting(slots=1, requests=1, threads=1, withdrawals=1))
    explore(model)
    assert model.taken == ROWS


BROKEN: Final = {
    "sleeps without a second look": (Setting(), "waits for ever"),
    "claims whatever is there": (Setting(withdrawals=1), "EXEC takes slot"),
    "takes an entry without compare-and-swap": (Setting(requests=3), "holds a slot twice"),
    "pushes without compare-and-swap": (Setting(), "reaped, then reaped"),
    "takes END out of the ring": (Setting(requests=1), "waits for ever"),
    "serves END through an old entry": (Setting(withdrawals=1), "waits for ever"),
    "leaves without a look at the ring": (Setting(threads=1, time_outs=1), "waits for ever"),
    "leaves a token behind": (SETTINGS["stack used again"], "waits for ever"),
    "looks for an old entry too early": (Setting(withdrawals=1), "waits for ever"),
    "appends an entry in any case": (Setting(withdrawals=1), "holds a slot twice"),
    "withdraws whatever is there": (Setting(withdrawals=1), "OWNER takes slot"),
    "reads the eventfd after it is armed": (Setting(), "waits for ever"),
    "forgets to come back": (Setting(), "waits for ever"),
    "arms without a second look": (Setting(), "waits for ever"),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_what_is_broken_is_found(broken: str) -> None:
    setting, message = BROKEN[broken]
    with pytest.raises(ProtocolError, match=message):
        explore(Model(replace(setting, broken=broken)))


@pytest.mark.parametrize("row", sorted(ROWS), ids="-".join)
def test_a_missing_row_is_found(row: tuple[str, str, str]) -> None:
    rows = ROWS - {row}
    model = Model(Setting(slots=1, requests=1, threads=1, withdrawals=1, rows=rows))
    with pytest.raises(ProtocolError, match=f"{row[2]} takes slot .* {row[0]} to {row[1]}"):
        explore(model)


def test_an_interruption_never_hits_the_next_call() -> None:
    explore(Interruption())


@pytest.mark.parametrize(
    "broken",
    [
        "clears by a store",
        "doesn't hold the thread",
        "doesn't wait",
        "makes no call in between",
    ],
)
def test_an_interruption_that_is_broken_hits_the_next_call(broken: str) -> None:
    with pytest.raises(ProtocolError, match="hits the next call"):
        explore(Interruption(broken))
