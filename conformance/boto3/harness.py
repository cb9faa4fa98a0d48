"""Named checks with a closing count, and small tools that the checks share.

The endpoint, the region and the keys come from the variables that every AWS
client reads: AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID, ….
"""

import itertools
import os
import sys
import time
import traceback

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

_serial = itertools.count()

# The code that clients of the Query protocol know each error by, and that
# clients of the JSON protocol learn from the header x-amzn-query-error.
QUERY_CODES = {
    "QueueDoesNotExist": "AWS.SimpleQueueService.NonExistentQueue",
    "QueueNameExists": "QueueAlreadyExists",
    "BatchEntryIdsNotDistinct": "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
    "BatchRequestTooLong": "AWS.SimpleQueueService.BatchRequestTooLong",
    "EmptyBatchRequest": "AWS.SimpleQueueService.EmptyBatchRequest",
    "InvalidBatchEntryId": "AWS.SimpleQueueService.InvalidBatchEntryId",
    "TooManyEntriesInBatchRequest": "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
    "PurgeQueueInProgress": "AWS.SimpleQueueService.PurgeQueueInProgress",
    "UnsupportedOperation": "AWS.SimpleQueueService.UnsupportedOperation",
}


class Suite:
    """Counts checks. A check is a function that raises when it fails."""

    def __init__(self, name, only=""):
        self.name, self.only = name, only
        self.passed = self.failed = 0

    def run(self, title, check, *args):
        if self.only not in title:
            return
        start = time.monotonic()
        try:
            check(*args)
        except Exception as e:  # every failure is counted, whatever it is
            self.failed += 1
            print(f"FAIL {title} ({time.monotonic() - start:.1f}s): {type(e).__name__}: {short(str(e))}", flush=True)
            traceback.print_exc(file=sys.stderr)
        else:
            self.passed += 1
            print(f"ok   {title} ({time.monotonic() - start:.1f}s)", flush=True)

    def finish(self):
        print(f"{self.name}: {self.passed} passed, {self.failed} failed", flush=True)
        return 1 if self.failed or not self.passed else 0


class Sqs:
    """The endpoint under test, and a client of it."""

    def __init__(self):
        self.endpoint = os.environ["AWS_ENDPOINT_URL"].rstrip("/")
        self.region = os.environ.get("AWS_REGION", "us-east-1")
        self.client = self.connect()

    def connect(self, **settings):
        # Given by hand because old versions do not read AWS_ENDPOINT_URL.
        settings.setdefault("endpoint_url", self.endpoint)
        return boto3.session.Session().client("sqs", region_name=self.region,
                                              config=Config(retries={"total_max_attempts": 1}), **settings)

    def queue(self, name=None, tags=None, **attributes):
        """Creates a queue and returns its URL."""
        name = name or unique("q")
        if name.endswith(".fifo"):
            attributes["FifoQueue"] = "true"
        more = {"tags": tags} if tags else {}
        return self.client.create_queue(QueueName=name, Attributes=attributes, **more)["QueueUrl"]

    def fifo(self, **attributes):
        return self.queue(unique("q") + ".fifo", **attributes)

    def arn(self, url):
        return self.attribute(url, "QueueArn")

    def attribute(self, url, name):
        return self.client.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name]

    def send(self, url, *bodies, **more):
        """Sends each body alone; returns the last answer."""
        for body in bodies:
            answer = self.client.send_message(QueueUrl=url, MessageBody=body, **more)
        return answer

    def batch(self, url, *entries):
        numbered = [{"Id": str(i), **e} for i, e in enumerate(entries)]
        return self.client.send_message_batch(QueueUrl=url, Entries=numbered)

    def receive(self, url, **more):
        """One receive; the messages."""
        more.setdefault("MaxNumberOfMessages", 10)
        return self.client.receive_message(QueueUrl=url, **more).get("Messages", [])

    def take(self, url, n, limit=30, **more):
        """Receives until n messages came, and fails if they do not, or more do."""
        out, end = [], time.monotonic() + limit
        more.setdefault("WaitTimeSeconds", 1)
        while len(out) < n:
            out += self.receive(url, MaxNumberOfMessages=min(10, n - len(out)), **more)
            if len(out) < n and time.monotonic() > end:
                raise AssertionError(f"{len(out)} of {n} messages after {limit} s")
        equal(len(out), n, "messages")
        return out

    def bodies(self, url, n, **more):
        return [m["Body"] for m in self.take(url, n, **more)]

    def nothing(self, url, seconds=0, **more):
        got = self.receive(url, WaitTimeSeconds=seconds, **more)
        equal([m["Body"] for m in got], [], "messages in a queue that has none to give")

    def delete(self, url, *messages):
        for m in messages:
            self.client.delete_message(QueueUrl=url, ReceiptHandle=m["ReceiptHandle"])

    def hide(self, url, message, seconds):
        self.client.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"],
                                              VisibilityTimeout=seconds)


def until(what, holds, limit=60):
    end = time.monotonic() + limit
    while not holds():
        if time.monotonic() > end:
            raise AssertionError(f"not within {limit} s: {what}")
        time.sleep(0.05)


def unique(what):
    return f"py-{what}-{os.getpid()}-{int(time.time() * 1000)}-{next(_serial)}"


def equal(got, want, what=""):
    if got != want:
        raise AssertionError(f"{what}: got {short(repr(got))}, want {short(repr(want))}")


def holds(condition, what):
    if not condition:
        raise AssertionError(short(what))


def short(text):
    return text if len(text) < 300 else text[:300] + "…"


def fails(name, call, contains="", status=400, **arguments):
    """The call must be refused with the error of this name; returns its text."""
    want = QUERY_CODES.get(name, name)
    try:
        call(**arguments)
    except ClientError as e:
        error = e.response["Error"]
        equal(error["Code"], want, f"code of {error.get('Message')!r}")
        equal(e.response["ResponseMetadata"]["HTTPStatusCode"], status, "HTTP status")
        modeled = getattr(call.__self__.exceptions, name, ClientError) if hasattr(call, "__self__") else ClientError
        holds(isinstance(e, modeled), f"{type(e).__name__} is not {name}")
        holds(contains in error.get("Message", ""), f"{error.get('Message')!r} does not say {contains!r}")
        return error.get("Message", "")
    raise AssertionError(f"it was accepted, want {want}")
