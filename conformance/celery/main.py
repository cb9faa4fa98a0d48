"""Drives an SQS endpoint with Celery: its kombu transport for SQS, real workers.

The endpoint, the region and the keys come from the variables that every AWS
client reads: AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID, ….
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback

work = tempfile.TemporaryDirectory()
results = os.path.join(work.name, "results")
prefix = f"celery-{os.getpid()}-{int(time.time())}-"
os.environ.update(CELERY_RESULTS=results, CELERY_PREFIX=prefix)
os.environ.setdefault("AWS_REGION", "us-east-1")
os.environ.setdefault("AWS_DEFAULT_REGION", os.environ["AWS_REGION"])

import boto3  # noqa: E402 (the variables come first)

import tasks  # noqa: E402

here = os.path.dirname(os.path.abspath(__file__))
passed = failed = 0
workers = []


def worker(name):
    p = subprocess.Popen([sys.executable, "-m", "celery", "-A", "tasks", "worker", "--pool", "prefork", "--concurrency", "2", "--loglevel", "WARNING",
                          "--without-gossip", "--without-mingle", "--without-heartbeat", "-n", f"{name}@localhost"],
                         cwd=here, stdout=sys.stderr, stderr=sys.stderr, start_new_session=True)
    workers.append(p)
    return p


def lines(*first):
    try:
        with open(results, encoding="utf-8") as f:
            all_lines = [line.rstrip("\n").split("\t") for line in f]
    except FileNotFoundError:
        return []
    return [line for line in all_lines if tuple(line[2:2 + len(first)]) == first]


def until(what, holds, limit=60):
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
        print(f"FAIL {title} ({time.monotonic() - start:.1f}s): {type(e).__name__}: {e}", flush=True)
        traceback.print_exc(file=sys.stderr)
    else:
        passed += 1
        print(f"ok   {title} ({time.monotonic() - start:.1f}s)", flush=True)


def left():
    sqs = boto3.client("sqs")
    url = sqs.get_queue_url(QueueName=prefix + "tasks")["QueueUrl"]
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"]
    got = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return [int(got[n]) for n in names]


def many():
    for i in range(60):
        tasks.add.delay(i, 1)
    until("60 sums", lambda: len(lines("add")) >= 60)
    equal(sorted(int(x[5]) for x in lines("add")), [i + 1 for i in range(60)])


def korean():
    text = "나루터에 배가 닿았다 🛶 <&>"
    tasks.say.delay(text)
    until("the text", lambda: lines("say"))
    equal(lines("say")[0][3], text)


def retries():
    tasks.flaky.delay("f")
    until("three tries", lambda: len(lines("flaky", "f")) >= 3)
    equal([x[4] for x in lines("flaky", "f")], ["0", "1", "2"])
    times = [float(x[0]) for x in lines("flaky", "f")]
    if min(times[1] - times[0], times[2] - times[1]) < 0.9:
        raise AssertionError(f"a retry came before its second was over: {times}")


def eta():
    start = time.time()
    tasks.add.apply_async((1000, 1), countdown=2)
    until("the sum", lambda: lines("add", "1000"))
    took = float(lines("add", "1000")[0][0]) - start
    if took < 2:
        raise AssertionError(f"due in 2 s, done after {took:.2f} s")


def killed():
    """A worker dies with a task in hand: another does it when the lease has ended."""
    tasks.slow.delay("k", 6)
    until("it began", lambda: lines("begin", "k"))
    victim = next(w for w in workers if owns(w, int(lines("begin", "k")[0][1])))
    os.killpg(victim.pid, signal.SIGKILL)
    victim.wait()
    worker("third")
    until("it was done by another", lambda: lines("end", "k"))
    equal(len(lines("begin", "k")), 2)
    if lines("begin", "k")[0][1] == lines("end", "k")[0][1]:
        raise AssertionError("the killed worker ended it")


def owns(w, pid):
    return w.poll() is None and os.getpgid(pid) == w.pid


def after():
    for i in range(2000, 2020):
        tasks.add.delay(i, 1)
    until("20 sums", lambda: len([x for x in lines("add") if int(x[3]) >= 2000]) >= 20)
    until("the queue is empty", lambda: left() == [0, 0, 0])
    done = [x[3] for x in lines("add")]
    equal(len(done), len(set(done)))


def stops():
    for w in workers:
        if w.poll() is None:
            w.send_signal(signal.SIGTERM)
    equal([w.wait(60) for w in workers if w.returncode != -signal.SIGKILL], [0, 0])


def main():
    for name in ("first", "second"):
        worker(name)
    try:
        run("sixty tasks by two workers", many)
        run("Korean text", korean)
        run("retries after a second", retries)
        run("a task with a countdown", eta)
        run("a worker killed with a task in hand", killed)
        run("each task once, nothing left", after)
        run("workers stop in good order", stops)
    finally:
        for w in workers:
            if w.poll() is None:
                os.killpg(w.pid, signal.SIGKILL)
                w.wait()
    print(f"celery: {passed} passed, {failed} failed", flush=True)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
