"""The Celery application that workers run. Results are lines in a file."""

import os
import time

from celery import Celery

app = Celery("tasks", broker="sqs://")
app.conf.update(
    broker_transport_options={"region": os.environ["AWS_REGION"], "visibility_timeout": 12, "wait_time_seconds": 1, "polling_interval": 0.1,
                              "queue_name_prefix": os.environ["CELERY_PREFIX"]},
    task_acks_late=True, task_reject_on_worker_lost=True, worker_prefetch_multiplier=1, task_default_queue="tasks",
    worker_enable_remote_control=False, task_ignore_result=True, broker_connection_retry_on_startup=True,
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


@app.task
def say(text):
    note("say", text)


@app.task(bind=True, max_retries=3)
def flaky(self, key):
    note("flaky", key, self.request.retries)
    if self.request.retries < 2:
        raise self.retry(countdown=1)


@app.task
def slow(key, seconds):
    note("begin", key)
    time.sleep(seconds)
    note("end", key)
