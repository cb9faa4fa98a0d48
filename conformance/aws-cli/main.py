"""Drives an SQS endpoint with the AWS CLI (version 1).

The commands run in this process, which is what the program `aws` does after a
second of loading; one check runs that program. The endpoint, the region and the
keys come from the variables that every AWS client reads.

    main.py [--only TITLE] [--no-keys]
"""

import argparse
import base64
import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback

from awscli.clidriver import create_clidriver

os.environ.setdefault("AWS_DEFAULT_REGION", os.environ.get("AWS_REGION", "us-east-1"))
os.environ["AWS_MAX_ATTEMPTS"] = "1"
endpoint = os.environ["AWS_ENDPOINT_URL"]  # version 1 reads it only as an option
driver = create_clidriver()
serial = 0


class Refused(Exception):
    pass


def aws(*words):
    """Runs `aws sqs WORDS`; the answer, or an exception with what it printed."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = driver.main(["--endpoint-url", endpoint, "sqs", *words, "--output", "json"])
    if status:
        raise Refused(err.getvalue().strip())
    return json.loads(out.getvalue()) if out.getvalue().strip() else {}


def refused(text, *words):
    try:
        aws(*words)
    except Refused as e:
        if text not in str(e):
            raise AssertionError(f"{str(e)!r} does not say {text!r}") from e
    else:
        raise AssertionError(f"it was accepted, want {text}")


def name(suffix=""):
    global serial
    serial += 1
    return f"cli-{os.getpid()}-{int(time.time())}-{serial}{suffix}"


def queue(suffix="", **attributes):
    more = ["--attributes", json.dumps(attributes)] if attributes else []
    return aws("create-queue", "--queue-name", name(suffix), *more)["QueueUrl"]


def send(url, body, *more):
    return aws("send-message", "--queue-url", url, "--message-body", body, *more)


def receive(url, *more):
    return aws("receive-message", "--queue-url", url, "--max-number-of-messages", "10", *more).get("Messages", [])


def take(url, n, *more):
    out, end = [], time.monotonic() + 30
    while len(out) < n:
        out += receive(url, "--wait-time-seconds", "1", *more)
        if len(out) < n and time.monotonic() > end:
            raise AssertionError(f"{len(out)} of {n} messages after 30 s")
    equal(len(out), n)
    return out


def attribute(url, which):
    return aws("get-queue-attributes", "--queue-url", url, "--attribute-names", which)["Attributes"][which]


def equal(got, want):
    if got != want:
        raise AssertionError(f"got {str(got)[:300]}, want {str(want)[:300]}")


def program():
    aws_program = os.path.join(os.path.dirname(sys.executable), "aws")
    which = name()
    made = subprocess.run([aws_program, "--endpoint-url", endpoint, "sqs", "create-queue", "--queue-name", which, "--output", "text"], capture_output=True, text=True, check=True)
    url = made.stdout.strip()
    equal(url, f"{os.environ['AWS_ENDPOINT_URL'].rstrip('/')}/000000000000/{which}")
    gone = subprocess.run([aws_program, "--endpoint-url", endpoint, "sqs", "get-queue-url", "--queue-name", which + "-gone"], capture_output=True, text=True, check=False)
    equal("(AWS.SimpleQueueService.NonExistentQueue)" in gone.stderr and gone.returncode, 254 if gone.returncode == 254 else 255)


def lifecycle():
    url = queue()
    which = url.rsplit("/", 1)[1]
    equal(aws("get-queue-url", "--queue-name", which)["QueueUrl"], url)
    equal(aws("list-queues", "--queue-name-prefix", which)["QueueUrls"], [url])
    aws("delete-queue", "--queue-url", url)
    refused("(AWS.SimpleQueueService.NonExistentQueue)", "get-queue-url", "--queue-name", which)


def pages():
    prefix = name()
    for i in range(5):
        aws("create-queue", "--queue-name", f"{prefix}-{i}")
    equal(len(aws("list-queues", "--queue-name-prefix", prefix, "--page-size", "2")["QueueUrls"]), 5)
    first = aws("list-queues", "--queue-name-prefix", prefix, "--max-items", "3")
    equal((len(first["QueueUrls"]), "NextToken" in first), (3, True))
    rest = aws("list-queues", "--queue-name-prefix", prefix, "--max-items", "3", "--starting-token", first["NextToken"])
    equal(len(rest["QueueUrls"]), 2)


def attributes():
    url = queue(VisibilityTimeout="7")
    equal(attribute(url, "VisibilityTimeout"), "7")
    aws("set-queue-attributes", "--queue-url", url, "--attributes", "DelaySeconds=3,MaximumMessageSize=2048")
    got = aws("get-queue-attributes", "--queue-url", url, "--attribute-names", "All")["Attributes"]
    equal((got["DelaySeconds"], got["MaximumMessageSize"], got["VisibilityTimeout"]), ("3", "2048", "7"))
    refused("(QueueAlreadyExists)", "create-queue", "--queue-name", url.rsplit("/", 1)[1], "--attributes", "VisibilityTimeout=8")
    refused("(InvalidAttributeValue)", "set-queue-attributes", "--queue-url", url, "--attributes", "DelaySeconds=901")
    refused("(InvalidAttributeName)", "set-queue-attributes", "--queue-url", url, "--attributes", "Nothing=1")


def tags():
    url = queue()
    aws("tag-queue", "--queue-url", url, "--tags", '{"env": "test", "이름": "나루"}')
    equal(aws("list-queue-tags", "--queue-url", url)["Tags"], {"env": "test", "이름": "나루"})
    aws("untag-queue", "--queue-url", url, "--tag-keys", "env")
    equal(aws("list-queue-tags", "--queue-url", url)["Tags"], {"이름": "나루"})


def permissions():
    url = queue()
    aws("add-permission", "--queue-url", url, "--label", "mates", "--aws-account-ids", "111122223333", "--actions", "SendMessage")
    equal("mates" in attribute(url, "Policy"), True)
    aws("remove-permission", "--queue-url", url, "--label", "mates")
    refused("(InvalidParameterValue)", "remove-permission", "--queue-url", url, "--label", "mates")


def message():
    url = queue()
    sent = send(url, "강을 건너는 배 <&> 🛶")
    [m] = take(url, 1)
    equal((m["Body"], m["MessageId"]), ("강을 건너는 배 <&> 🛶", sent["MessageId"]))
    aws("delete-message", "--queue-url", url, "--receipt-handle", m["ReceiptHandle"])
    equal(receive(url), [])


def message_attributes():
    url = queue()
    given = {"s": {"DataType": "String", "StringValue": "나루"}, "n": {"DataType": "Number", "StringValue": "3"},
             "b": {"DataType": "Binary", "BinaryValue": "bytes"}}  # as they are, in version 1
    send(url, "with", "--message-attributes", json.dumps(given))
    [m] = take(url, 1, "--message-attribute-names", "All", "--message-system-attribute-names", "All")
    given["b"]["BinaryValue"] = base64.b64encode(b"bytes").decode()
    equal(m["MessageAttributes"], given)
    equal(m["Attributes"]["ApproximateReceiveCount"], "1")


def batches():
    url = queue()
    entries = [{"Id": "good", "MessageBody": "x"}, {"Id": "bad", "MessageBody": "x", "DelaySeconds": 901}]
    answer = aws("send-message-batch", "--queue-url", url, "--entries", json.dumps(entries))
    equal([e["Id"] for e in answer["Successful"]], ["good"])
    equal([(e["Id"], e["Code"], e["SenderFault"]) for e in answer["Failed"]], [("bad", "InvalidParameterValue", True)])
    many = [{"Id": str(i), "MessageBody": "x"} for i in range(11)]
    refused("(AWS.SimpleQueueService.TooManyEntriesInBatchRequest)", "send-message-batch", "--queue-url", url, "--entries", json.dumps(many))
    [m] = take(url, 1)
    answer = aws("change-message-visibility-batch", "--queue-url", url, "--entries", f"Id=a,ReceiptHandle={m['ReceiptHandle']},VisibilityTimeout=0")
    equal([e["Id"] for e in answer["Successful"]], ["a"])
    [m] = take(url, 1)
    answer = aws("delete-message-batch", "--queue-url", url, "--entries", f"Id=a,ReceiptHandle={m['ReceiptHandle']}", "Id=b,ReceiptHandle=nonsense")
    equal(([e["Id"] for e in answer["Successful"]], [e["Code"] for e in answer["Failed"]]), (["a"], ["ReceiptHandleIsInvalid"]))


def visibility():
    url = queue()
    send(url, "m")
    [m] = take(url, 1)
    equal(receive(url), [])
    aws("change-message-visibility", "--queue-url", url, "--receipt-handle", m["ReceiptHandle"], "--visibility-timeout", "0")
    [m] = take(url, 1)
    refused("(InvalidParameterValue)", "change-message-visibility", "--queue-url", url, "--receipt-handle", m["ReceiptHandle"], "--visibility-timeout", "43201")
    refused("(ReceiptHandleIsInvalid)", "delete-message", "--queue-url", url, "--receipt-handle", "nonsense")


def delay():
    url = queue()
    start = time.monotonic()
    send(url, "late", "--delay-seconds", "4")
    equal(receive(url), [])
    take(url, 1)
    equal(time.monotonic() - start >= 4, True)


def sizes():
    url = queue()
    with tempfile.NamedTemporaryFile("w") as f:
        f.write("x" * (1 << 20))
        f.flush()
        send(url, "file://" + f.name)
        equal(len(take(url, 1)[0]["Body"]), 1 << 20)
        f.write("y")
        f.flush()
        refused("Message must be shorter than 1048576 bytes", "send-message", "--queue-url", url, "--message-body", "file://" + f.name)
    refused("(InvalidMessageContents)", "send-message", "--queue-url", url, "--message-body", "a\x0bb")


def purge():
    url = queue()
    send(url, "x")
    aws("purge-queue", "--queue-url", url)
    equal((receive(url), attribute(url, "ApproximateNumberOfMessages")), ([], "0"))


def dead_letters():
    dead = queue()
    arn = attribute(dead, "QueueArn")
    url = queue(RedrivePolicy=json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1}))
    send(url, "poison")
    take(url, 1, "--visibility-timeout", "0")
    equal(receive(url, "--wait-time-seconds", "1"), [])
    end = time.monotonic() + 60
    while attribute(dead, "ApproximateNumberOfMessages") != "1":
        equal(time.monotonic() < end, True)
    equal(aws("list-dead-letter-source-queues", "--queue-url", dead)["queueUrls"], [url])
    aws("start-message-move-task", "--source-arn", arn)
    equal(take(url, 1)[0]["Body"], "poison")
    while aws("list-message-move-tasks", "--source-arn", arn)["Results"][0]["Status"] != "COMPLETED":
        equal(time.monotonic() < end, True)
    refused("(ResourceNotFoundException)", "list-message-move-tasks", "--source-arn", arn + "-gone")


def fifo():
    url = queue(".fifo", FifoQueue="true", ContentBasedDeduplication="true")
    for body in ("1", "2", "2", "3"):
        sent = send(url, body, "--message-group-id", "g")
    equal(sent["SequenceNumber"].isdigit(), True)
    got = take(url, 3, "--message-system-attribute-names", "MessageGroupId")
    equal([(m["Body"], m["Attributes"]["MessageGroupId"]) for m in got], [("1", "g"), ("2", "g"), ("3", "g")])
    refused("(MissingParameter)", "send-message", "--queue-url", url, "--message-body", "x")


def keys():
    key, secret = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
    global driver
    try:
        for k, s, code in ((key, "wrong", "SignatureDoesNotMatch"), ("AKIAUNKNOWN", secret, "InvalidClientTokenId")):
            os.environ.update(AWS_ACCESS_KEY_ID=k, AWS_SECRET_ACCESS_KEY=s)
            driver = create_clidriver()
            refused(f"({code})", "list-queues")
    finally:
        os.environ.update(AWS_ACCESS_KEY_ID=key, AWS_SECRET_ACCESS_KEY=secret)
        driver = create_clidriver()
    aws("list-queues")


CHECKS = [("the program aws", program), ("create, find, list, delete", lifecycle), ("pages", pages), ("attributes", attributes), ("tags", tags),
          ("permissions", permissions), ("send, receive, delete", message), ("message attributes", message_attributes), ("batches", batches),
          ("visibility", visibility), ("delay", delay), ("sizes and contents", sizes), ("purge", purge), ("dead letters and moving them", dead_letters),
          ("fifo", fifo), ("keys", keys)]


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--only", default="")
    a.add_argument("--no-keys", action="store_true")
    o = a.parse_args()
    passed = failed = 0
    for title, check in CHECKS:
        if o.only not in title or o.no_keys and check is keys:
            continue
        start = time.monotonic()
        try:
            check()
        except Exception as e:  # every failure is counted, whatever it is
            failed += 1
            print(f"FAIL {title} ({time.monotonic() - start:.1f}s): {type(e).__name__}: {str(e)[:400]}", flush=True)
            traceback.print_exc(file=sys.stderr)
        else:
            passed += 1
            print(f"ok   {title} ({time.monotonic() - start:.1f}s)", flush=True)
    print(f"aws-cli: {passed} passed, {failed} failed", flush=True)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
