"""The Celery application that workers run. What tasks did are lines in a file."""

import os
import time

from celery import Celery
from kombu import Exchange, Queue

prefix = os.environ["CELERY_PREFIX"]
quorum = os.environ.get("CELERY_QUEUES") == "quorum"
name = prefix + ("quorum" if quorum else "classic")

# Chords count in a store of results that workers share, which rpc:// is not.
app = Celery("tasks", broker=os.environ["AMQP_URL"], backend=os.environ.get("CELERY_BACKEND", "rpc://"))
app.conf.update(
    task_acks_late=True, task_reject_on_worker_lost=True, worker_prefetch_multiplier=1, task_default_queue=name, task_default_exchange=name,
    task_default_routing_key=name, broker_connection_retry_on_startup=True, event_queue_prefix=prefix + "event", control_exchange=prefix + "control",
    event_exchange=prefix + "event", result_exchange=prefix + "results", result_persistent=True, result_expires=60, task_send_sent_event=True, worker_send_task_events=True,
    broker_transport_options={"confirm_publish": True},
)
if quorum:
    # Quorum queues take no prefetch per channel, and delay tasks by queues of their own.
    app.conf.update(task_default_queue_type="quorum", worker_detect_quorum_queues=True, task_default_exchange_type="topic")
else:
    exchange, topic = Exchange(name, "direct"), Exchange(prefix + "topic", "topic")
    app.conf.update(
        task_queues=[Queue(name, exchange, name, queue_arguments={"x-max-priority": 5}), Queue(prefix + "mail", topic, "mail.#")],
        task_routes={"tasks.mail": {"exchange": prefix + "topic", "exchange_type": "topic", "routing_key": "mail.welcome"}},
    )


def note(*words):
    """One write to a file opened for appending: lines of two processes do not mix."""
    line = "\t".join(map(str, (time.time(), os.getpid(), *words))) + "\n"
    fd = os.open(os.environ["CELERY_RESULTS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, line.encode())
    os.close(fd)


@app.task
def add(a, b):
    note("add", a, b, a + b)
    return a + b


@app.task
def double(a):
    return 2 * a


@app.task
def total(numbers):
    return sum(numbers)


@app.task
def fails(text):
    raise ValueError(text)


@app.task
def heard(*args):
    note("heard", *args)


@app.task
def say(text):
    note("say", text)
    return text


@app.task
def size(data):
    return len(data)


@app.task
def mail(to):
    note("mail", to)


@app.task(bind=True, max_retries=3)
def flaky(self, key):
    note("flaky", key, self.request.retries)
    if self.request.retries < 2:
        raise self.retry(countdown=1)
    return "at last"


@app.task
def slow(key, seconds):
    note("begin", key)
    time.sleep(seconds)
    note("end", key)
