"""Drives an AMQP 0-9-1 broker with Celery: real workers, results over AMQP.

Everything that Celery does over its broker is on: events, gossip, remote
control. The broker's address is in AMQP_URL. The suite was checked against
RabbitMQ 3.10.8 (Debian 12).
"""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

work = tempfile.TemporaryDirectory()
results = os.path.join(work.name, "results")
os.environ.setdefault("AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/")
os.environ.update(CELERY_RESULTS=results, CELERY_PREFIX=f"celery-{os.getpid()}-{int(time.time())}-")

from celery import chain, chord, group  # noqa: E402 (the variables come first)

import tasks  # noqa: E402

here = os.path.dirname(os.path.abspath(__file__))
shared = "CELERY_BACKEND" in os.environ
kind = ("quorum" if tasks.quorum else "classic") + ("-shared" if shared else "")
passed = failed = 0
workers = []


def worker(name):
    p = subprocess.Popen([sys.executable, "-m", "celery", "-A", "tasks", "worker", "--pool", "prefork", "--concurrency", "2", "--loglevel", "WARNING",
                          "-n", f"{name}-{kind}@localhost"], cwd=here, stdout=sys.stderr, stderr=sys.stderr, start_new_session=True)
    workers.append(p)
    return p


def lines(*first):
    try:
        with open(results, encoding="utf-8") as f:
            all_lines = [line.rstrip("\n").split("\t") for line in f]
    except FileNotFoundError:
        return []
    return [line for line in all_lines if tuple(line[2:2 + len(first)]) == first]


patience = 60  # seconds, for what has to come


def until(what, holds, limit=patience):
    end = time.monotonic() + limit
    while not holds():
        if time.monotonic() > end:
            raise AssertionError(f"not within {limit} s: {what}")
        time.sleep(0.05)


def equal(got, want):
    if got != want:
        raise AssertionError(f"got {got}, want {want}")


def run(title, check):
    global passed, failed
    start = time.monotonic()
    try:
        check()
    except Exception as e:  # every failure is counted, whatever it is
        failed += 1
        print(f"FAIL {kind}: {title} ({time.monotonic() - start:.1f}s): {type(e).__name__}: {e}", flush=True)
        traceback.print_exc(file=sys.stderr)
    else:
        passed += 1
        print(f"ok   {kind}: {title} ({time.monotonic() - start:.1f}s)", flush=True)


def answers():
    found = tasks.app.control.inspect(limit=2, timeout=patience).ping() or {}
    equal(sorted(found), [f"first-{kind}@localhost", f"second-{kind}@localhost"])


def inspected():
    stats = tasks.app.control.inspect(limit=2, timeout=patience).stats()
    equal(len(stats), 2)
    queues = tasks.app.control.inspect(limit=2, timeout=patience).active_queues()
    equal({q["name"] for answer in queues.values() for q in answer} >= {tasks.name}, True)


def result():
    equal(tasks.add.delay(2, 3).get(timeout=patience), 5)


def many():
    found = [tasks.add.delay(i, 1) for i in range(60)]
    equal([r.get(timeout=patience) for r in found], [i + 1 for i in range(60)])


def text():
    said = "나루터에 배가 닿았다 🛶 <&>"
    equal(tasks.say.delay(said).get(timeout=patience), said)


def large():
    equal(tasks.size.delay("x" * 500_000).get(timeout=patience), 500_000)


def failure():
    try:
        tasks.fails.delay("on purpose").get(timeout=patience)
    except ValueError as e:
        equal(str(e), "on purpose")
    else:
        raise AssertionError("no error")


def chained():
    equal(chain(tasks.add.s(1, 2), tasks.double.s(), tasks.add.s(10), tasks.double.s()).delay().get(timeout=patience), 32)


def grouped():
    equal(group(tasks.double.s(i) for i in range(10)).delay().get(timeout=patience), [2 * i for i in range(10)])


def chorded():
    """Two steps of many tasks each, which wait for one another."""
    equal(chord((tasks.double.s(i) for i in range(10)), tasks.total.s()).delay().get(timeout=patience), 90)
    steps = chain(tasks.add.s(1, 2), group(tasks.add.s(i) for i in range(5)), tasks.total.s(), tasks.double.s())
    equal(steps.delay().get(timeout=patience), 50)


def waiting():
    """More tasks wait for their time than a worker prefetches: others are done meanwhile."""
    for i in range(20):
        tasks.say.apply_async((f"later {i}",), countdown=600)
    equal([tasks.add.delay(i, 5).get(timeout=patience) for i in range(5)], [5, 6, 7, 8, 9])


def linked():
    tasks.add.apply_async((20, 22), link=tasks.heard.s("the sum"))
    until("the callback", lambda: lines("heard", "42"))
    tasks.fails.apply_async(("again",), link_error=tasks.heard.si("an error"))
    until("the errback", lambda: lines("heard", "an error"))


def retries():
    equal(tasks.flaky.delay(kind).get(timeout=patience), "at last")
    equal([x[4] for x in lines("flaky", kind)], ["0", "1", "2"])
    times = [float(x[0]) for x in lines("flaky", kind)]
    if min(times[1] - times[0], times[2] - times[1]) < 0.9:
        raise AssertionError(f"a retry came before its second was over: {times}")


def countdown():
    start = time.time()
    tasks.add.apply_async((1000, 1), countdown=3)
    until("the sum", lambda: lines("add", "1000"))
    took = float(lines("add", "1000")[0][0]) - start
    if not 2.9 < took < 20:
        raise AssertionError(f"due in 3 s, done after {took:.2f} s")


def expires():
    late = tasks.say.apply_async(("too late",), countdown=2, expires=1)
    sure = tasks.add.apply_async((5, 5), countdown=3)
    equal(sure.get(timeout=patience), 10)
    equal((lines("say", "too late"), late.status in ("REVOKED", "PENDING")), ([], True))


def revoked():
    r = tasks.say.apply_async(("revoked",), countdown=6)
    tasks.app.control.revoke(r.id)
    time.sleep(8)
    equal(lines("say", "revoked"), [])


def routed():
    tasks.mail.delay("you")
    until("the mail", lambda: lines("mail", "you"))


def priority():
    """While both workers are busy: what is urgent comes first."""
    for i in range(4):
        tasks.slow.apply_async((f"busy {i}", 8), priority=0)
    until("all are busy", lambda: len([x for x in lines("begin") if x[3].startswith("busy")]) == 4)
    time.sleep(0.3)
    for i in range(8):
        tasks.slow.apply_async((f"low {i}", 0), priority=0)
    tasks.slow.apply_async(("high", 0), priority=5)
    until("all done", lambda: lines("end", "high") and len([x for x in lines("end") if x[3].startswith("low")]) == 8)
    order = [x[3] for x in lines("begin") if x[3].startswith(("low", "high"))]
    # Each of the four processes may hold one that came before the urgent one.
    if order.index("high") > 4:
        raise AssertionError(f"order {order}")


def killed():
    """A worker dies with a task in hand: another does it at once."""
    key = "killed " + kind
    tasks.slow.delay(key, 5)
    until("it began", lambda: lines("begin", key))
    victim = next(w for w in workers if owns(w, int(lines("begin", key)[0][1])))
    os.killpg(victim.pid, signal.SIGKILL)
    victim.wait()
    worker("third")
    until("it was done by another", lambda: lines("end", key))
    equal(len(lines("begin", key)), 2)
    if lines("begin", key)[0][1] == lines("end", key)[0][1]:
        raise AssertionError("the killed worker ended it")


def owns(w, pid):
    return w.poll() is None and os.getpgid(pid) == w.pid


def events():
    seen = []
    with tasks.app.connection() as c:
        receiver = tasks.app.events.Receiver(c, handlers={"*": lambda e: seen.append((e["type"], e.get("uuid")))})
        thread = threading.Thread(target=lambda: receiver.capture(limit=200, timeout=patience, wakeup=True), daemon=True)
        thread.start()
        until("the first event", lambda: seen)
        r = tasks.add.delay(7, 7)
        r.get(timeout=patience)
        until("its events", lambda: {x for x, uuid in seen if uuid == r.id} >= {"task-sent", "task-received", "task-started", "task-succeeded"})
        until("heartbeats", lambda: any(x == "worker-heartbeat" for x, _ in seen))


def left():
    with tasks.app.connection() as c:
        return c.default_channel.queue_declare(tasks.name, passive=True).message_count


def after():
    found = [tasks.add.delay(i, 1) for i in range(2000, 2020)]
    equal([r.get(timeout=patience) for r in found], list(range(2001, 2021)))
    until("the queue is empty", lambda: left() == 0)
    done = [x[3] for x in lines("add")]
    equal([x for x in done if int(x) >= 2000], sorted({x for x in done if int(x) >= 2000}, key=done.index))


def stops():
    for w in workers:
        if w.poll() is None:
            w.send_signal(signal.SIGTERM)
    equal([w.wait(patience) for w in workers if w.returncode != -signal.SIGKILL], [0, 0])


checks = [
    ("workers answer the remote control", answers), ("statistics and queues", inspected), ("a result", result), ("sixty tasks by two workers", many),
    ("Korean text", text), ("half a megabyte", large), ("an exception comes back", failure), ("a chain", chained), ("a group", grouped),
    ("callbacks of success and of failure", linked), ("retries after a second", retries), ("a task with a countdown", countdown), ("a task that expires", expires),
    ("a task revoked", revoked), ("a route by topic", routed), ("priorities", priority), ("events", events),
    ("a worker killed with a task in hand", killed), ("each task once, nothing left", after),
    ("others go past tasks that wait for their time", waiting), ("workers stop in good order", stops),
]
only_classic = (routed, priority)
checks_of_shared_results = [("a result", result), ("a chord, alone and in a chain", chorded), ("workers stop in good order", stops)]


def clean_up():
    with tasks.app.connection() as c:
        for name in (tasks.name, tasks.prefix + "mail"):
            c.channel().queue_delete(name)


def main():
    for name in ("first", "second"):
        worker(name)
    try:
        until("both workers are ready", lambda: len(tasks.app.control.inspect(timeout=1).ping() or {}) == 2, 120)
        for title, check in checks_of_shared_results if shared else checks:
            if not (tasks.quorum and check in only_classic):
                run(title, check)
        clean_up()
    finally:
        for w in workers:
            if w.poll() is None:
                os.killpg(w.pid, signal.SIGKILL)
                w.wait()
    return passed, failed


def both():
    """The suite with classic and with quorum queues, and chords with results in files, each in a process of its own."""
    total = [0, 0]
    for queues, more in (("classic", {}), ("quorum", {}), ("classic", {"CELERY_BACKEND": "file://" + work.name})):
        done = subprocess.run([sys.executable, __file__, "--one"], env={**os.environ, "CELERY_QUEUES": queues, **more}, stdout=subprocess.PIPE, text=True)
        sys.stdout.write("".join(line + "\n" for line in done.stdout.splitlines() if not line.startswith("count ")))
        counts = [line.split()[1:] for line in done.stdout.splitlines() if line.startswith("count ")]
        total = [a + int(b) for a, b in zip(total, counts[0] if counts else (0, 1))]
        if not counts:
            print(f"FAIL {queues}: did not finish", flush=True)
    print(f"celery-amqp: {total[0]} passed, {total[1]} failed", flush=True)
    return 1 if total[1] or not total[0] else 0


if __name__ == "__main__":
    if "--one" in sys.argv:
        print("count", *main())
    else:
        sys.exit(both())
