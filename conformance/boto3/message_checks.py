"""Messages: sending, receiving, hiding, deleting, and what is refused."""

import os
import time

from harness import equal, fails, holds, until

MIB = 1 << 20


def send_receive_delete(sqs):
    url = sqs.queue()
    sent = sqs.send(url, "hello")
    holds("SequenceNumber" not in sent, f"a standard queue numbered it: {sent}")
    [m] = sqs.take(url, 1)
    equal((m["Body"], m["MessageId"]), ("hello", sent["MessageId"]))
    holds("Attributes" not in m and "MessageAttributes" not in m, f"attributes that nobody asked for: {m}")
    sqs.nothing(url)
    sqs.hide(url, m, 1)
    sqs.delete(url, m)
    sqs.nothing(url, 2)  # beyond its lease
    sqs.delete(url, m)  # deleting again is no error


def text(sqs):
    url = sqs.queue()
    bodies = ["강을 건너는 모든 배가 닿는 곳, 나루", "tab\tnewline\ncarriage\rreturn", "<a href=\"x\">&amp;'</a>",
              "emoji 🛶 and \U0010fffd", "  spaces  ", "1+1=2 100% a/b?c", "{\"json\": [1, \"둘\"]}", "줄" * 50_000]
    sqs.send(url, *bodies)
    equal(sorted(sqs.bodies(url, len(bodies))), sorted(bodies), "bodies")


ATTRIBUTES = {
    "text": {"DataType": "String", "StringValue": "나루터 <&> \"따옴표\""},
    "count": {"DataType": "Number", "StringValue": "-12.50"},
    "bytes": {"DataType": "Binary", "BinaryValue": bytes(range(256))},
    "text.custom": {"DataType": "String.title", "StringValue": "머리글"},
    "n.int": {"DataType": "Number.int", "StringValue": "7"},
    "b.png": {"DataType": "Binary.png", "BinaryValue": b"\x89PNG\r\n\x1a\n\0"},
}


def message_attributes(sqs):
    url = sqs.queue()
    sqs.send(url, "with", MessageAttributes=ATTRIBUTES)
    [m] = sqs.take(url, 1, MessageAttributeNames=["All"])
    equal(m["MessageAttributes"], ATTRIBUTES, "attributes")
    sqs.batch(url, {"MessageBody": "ten", "MessageAttributes": {f"a{i}": {"DataType": "String", "StringValue": str(i)} for i in range(10)}})
    [m] = sqs.take(url, 1, MessageAttributeNames=["All"])
    equal(len(m["MessageAttributes"]), 10, "attributes")


def chosen_attributes(sqs):
    url = sqs.queue()
    names = ["a", "b", "price.low", "price.high"]
    for asked, want in [([], None), (["a"], ["a"]), (["a", "b", "none"], ["a", "b"]), (["none"], None), (["All"], names),
                        ([".*"], names), (["price.*"], ["price.low", "price.high"]), (["price.low", "b"], ["b", "price.low"])]:
        sqs.send(url, "m", MessageAttributes={n: {"DataType": "String", "StringValue": n} for n in names})
        [m] = sqs.take(url, 1, MessageAttributeNames=asked)
        got = m.get("MessageAttributes")
        equal(sorted(got) if got is not None else None, sorted(want) if want else None, f"asked for {asked}")
        sqs.delete(url, m)


def system_attributes(sqs):
    url, before = sqs.queue(), int(time.time() * 1000)
    trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
    sqs.send(url, "m", MessageSystemAttributes={"AWSTraceHeader": {"DataType": "String", "StringValue": trace}})
    [m] = sqs.take(url, 1, AttributeNames=["All"], VisibilityTimeout=0)
    a = m["Attributes"]
    equal(set(a), {"SenderId", "SentTimestamp", "ApproximateReceiveCount", "ApproximateFirstReceiveTimestamp", "AWSTraceHeader"})
    equal((a["ApproximateReceiveCount"], a["AWSTraceHeader"]), ("1", trace))
    now = int(time.time() * 1000)
    for name in ("SentTimestamp", "ApproximateFirstReceiveTimestamp"):
        holds(before - 1000 <= int(a[name]) <= now + 1000, f"{name} {a[name]} is not about {now}")
    first = a["ApproximateFirstReceiveTimestamp"]
    [m] = sqs.take(url, 1, AttributeNames=["ApproximateReceiveCount", "ApproximateFirstReceiveTimestamp"])
    equal(m["Attributes"], {"ApproximateReceiveCount": "2", "ApproximateFirstReceiveTimestamp": first}, "those asked for")


def batch_of_ten(sqs):
    url = sqs.queue()
    answer = sqs.batch(url, *[{"MessageBody": f"m{i}"} for i in range(10)])
    equal(sorted(e["Id"] for e in answer["Successful"]), [str(i) for i in range(10)])
    holds(not answer.get("Failed"), f"failed: {answer.get('Failed')}")
    got = sqs.take(url, 10)
    equal(sorted(m["Body"] for m in got), sorted(f"m{i}" for i in range(10)))
    equal({m["MessageId"] for m in got}, {e["MessageId"] for e in answer["Successful"]}, "ids")


def batch_in_part(sqs):
    url = sqs.queue()
    answer = sqs.batch(url, {"MessageBody": "good"}, {"MessageBody": "late", "DelaySeconds": 901},
                       {"MessageBody": "bad \x01 char"}, {"MessageBody": "also good"},
                       {"MessageBody": "empty", "MessageAttributes": {"a": {"DataType": "String", "StringValue": ""}}})
    equal([e["Id"] for e in answer["Successful"]], ["0", "3"], "taken")
    failed = {e["Id"]: e for e in answer["Failed"]}
    equal({i: e["Code"] for i, e in failed.items()},
          {"1": "InvalidParameterValue", "2": "InvalidMessageContents", "4": "InvalidParameterValue"}, "refused")
    holds(all(e["SenderFault"] is True and e["Message"] for e in failed.values()), f"{failed}")
    equal(sorted(sqs.bodies(url, 2)), ["also good", "good"])
    sqs.nothing(url)


def batch_refused(sqs):
    c, url = sqs.client, sqs.queue()

    def entries(*ids):
        return [{"Id": i, "MessageBody": "x"} for i in ids]

    fails("EmptyBatchRequest", c.send_message_batch, QueueUrl=url, Entries=[])
    fails("TooManyEntriesInBatchRequest", c.send_message_batch, "You have sent 11", QueueUrl=url, Entries=entries(*map(str, range(11))))
    fails("BatchEntryIdsNotDistinct", c.send_message_batch, QueueUrl=url, Entries=entries("a", "b", "a"))
    fails("InvalidBatchEntryId", c.send_message_batch, QueueUrl=url, Entries=entries("has space"))
    fails("InvalidBatchEntryId", c.send_message_batch, QueueUrl=url, Entries=entries("i" * 81))
    half = "x" * (MIB // 2)
    two = [{"Id": "0", "MessageBody": half}, {"Id": "1", "MessageBody": half + "y"}]
    fails("BatchRequestTooLong", c.send_message_batch, "You have sent 1048577 bytes", QueueUrl=url, Entries=two)
    fails("EmptyBatchRequest", c.delete_message_batch, QueueUrl=url, Entries=[])
    many = [{"Id": str(i), "ReceiptHandle": "x"} for i in range(11)]
    fails("TooManyEntriesInBatchRequest", c.delete_message_batch, QueueUrl=url, Entries=many)
    fails("TooManyEntriesInBatchRequest", c.change_message_visibility_batch, QueueUrl=url,
          Entries=[{**e, "VisibilityTimeout": 1} for e in many])
    sqs.nothing(url)


def timed(call, *args):
    start = time.monotonic()
    call(*args)
    return time.monotonic() - start


def polls(sqs):
    url = sqs.queue()
    holds(min(timed(sqs.nothing, url) for _ in range(5)) < 0.9, "a short poll waited")
    start = time.monotonic()
    sqs.nothing(url, 2)
    holds(1.9 <= time.monotonic() - start < 10, f"a long poll of 2 s took {time.monotonic() - start:.2f} s")
    sqs.send(url, "soon", DelaySeconds=1)
    start = time.monotonic()
    equal(sqs.bodies(url, 1, WaitTimeSeconds=20), ["soon"])
    holds(time.monotonic() - start < 15, f"a message that was due after 1 s came after {time.monotonic() - start:.2f} s")
    waits = sqs.queue(ReceiveMessageWaitTimeSeconds="1")
    start = time.monotonic()
    equal(sqs.receive(waits), [])
    holds(time.monotonic() - start >= 0.9, "the queue's own wait was not kept")


def lease_ends(sqs):
    url = sqs.queue(VisibilityTimeout="4")
    sqs.send(url, "m")
    [first] = sqs.take(url, 1)
    sqs.nothing(url)
    [second] = sqs.take(url, 1, AttributeNames=["ApproximateReceiveCount"], VisibilityTimeout=30)
    equal((second["MessageId"], second["Attributes"]["ApproximateReceiveCount"]), (first["MessageId"], "2"))
    holds(second["ReceiptHandle"] != first["ReceiptHandle"], "the same receipt handle twice")
    sqs.delete(url, second)


def visibility(sqs):
    c, url = sqs.client, sqs.queue()
    sqs.send(url, "m")
    [m] = sqs.take(url, 1, VisibilityTimeout=4)
    sqs.hide(url, m, 60)
    sqs.nothing(url, 5)  # beyond its first lease
    sqs.hide(url, m, 0)
    [m] = sqs.take(url, 1, WaitTimeSeconds=0, limit=1, VisibilityTimeout=30)
    sqs.hide(url, m, 1)
    [m] = sqs.take(url, 1)
    fails("InvalidParameterValue", c.change_message_visibility, QueueUrl=url, ReceiptHandle=m["ReceiptHandle"], VisibilityTimeout=43201)
    sqs.delete(url, m)
    fails("ReceiptHandleIsInvalid", c.change_message_visibility, QueueUrl=url, ReceiptHandle="nonsense", VisibilityTimeout=1, status=404)
    fails("InvalidParameterValue", c.change_message_visibility, QueueUrl=url, ReceiptHandle=m["ReceiptHandle"], VisibilityTimeout=1)


def visibility_batch(sqs):
    c, url = sqs.client, sqs.queue()
    sqs.send(url, "a", "b")
    a, b = sqs.take(url, 2)
    answer = c.change_message_visibility_batch(QueueUrl=url, Entries=[
        {"Id": "a", "ReceiptHandle": a["ReceiptHandle"], "VisibilityTimeout": 0},
        {"Id": "bad", "ReceiptHandle": "nonsense", "VisibilityTimeout": 0},
        {"Id": "b", "ReceiptHandle": b["ReceiptHandle"], "VisibilityTimeout": 60}])
    equal(sorted(e["Id"] for e in answer["Successful"]), ["a", "b"])
    equal([(e["Id"], e["Code"], e["SenderFault"]) for e in answer["Failed"]], [("bad", "ReceiptHandleIsInvalid", True)])
    equal([m["MessageId"] for m in sqs.take(url, 1, WaitTimeSeconds=0, limit=1)], [a["MessageId"]], "released")
    sqs.nothing(url)


def delete_batch(sqs):
    c, url = sqs.client, sqs.queue(VisibilityTimeout="1")
    sqs.send(url, "a", "b", "c")
    entries = [{"Id": m["Body"], "ReceiptHandle": m["ReceiptHandle"]} for m in sqs.take(url, 3, VisibilityTimeout=30)]
    answer = c.delete_message_batch(QueueUrl=url, Entries=entries + [{"Id": "bad", "ReceiptHandle": "nonsense"}])
    equal(sorted(e["Id"] for e in answer["Successful"]), ["a", "b", "c"])
    equal([(e["Id"], e["Code"], e["SenderFault"]) for e in answer["Failed"]], [("bad", "ReceiptHandleIsInvalid", True)])
    sqs.nothing(url, 1)
    fails("ReceiptHandleIsInvalid", c.delete_message, QueueUrl=url, ReceiptHandle="nonsense", status=404)


def delays(sqs):
    url, slow = sqs.queue(), sqs.queue(DelaySeconds="5")
    start = time.monotonic()
    sqs.send(url, "late", DelaySeconds=5)
    sqs.send(slow, "late too")
    sqs.send(slow, "at once", DelaySeconds=0)
    equal(sqs.bodies(slow, 1, WaitTimeSeconds=0, limit=1), ["at once"], "its own delay comes before the queue's")
    sqs.nothing(url)
    sqs.nothing(slow)
    equal(sqs.bodies(url, 1) + sqs.bodies(slow, 1), ["late", "late too"])
    holds(time.monotonic() - start >= 4.9, f"delivered after {time.monotonic() - start:.2f} s")


def sizes(sqs):
    c, url = sqs.client, sqs.queue()
    body = os.urandom(MIB // 2).hex()
    sqs.send(url, body)
    holds(sqs.bodies(url, 1) == [body], "a body of 1 MiB changed")
    fails("InvalidParameterValue", c.send_message, "Message must be shorter than 1048576 bytes",
          QueueUrl=url, MessageBody=body + "x")
    attribute = {"name": {"DataType": "String", "StringValue": "v" * 100}}
    fits = MIB - len("name") - len("String") - 100
    sqs.send(url, body[:fits], MessageAttributes=attribute)
    fails("InvalidParameterValue", c.send_message, "shorter than", QueueUrl=url, MessageBody=body[:fits + 1], MessageAttributes=attribute)
    small = sqs.queue(MaximumMessageSize="1024")
    sqs.send(small, "x" * 1024, "나" * 341)
    fails("InvalidParameterValue", c.send_message, "shorter than 1024 bytes", QueueUrl=small, MessageBody="나" * 342)


def contents(sqs):
    c, url = sqs.client, sqs.queue()
    fails("MissingParameter", c.send_message, "MessageBody", QueueUrl=url, MessageBody="")
    for bad in ("\x00", "\x0b", "\x1f", "\ufffe"):
        fails("InvalidMessageContents", c.send_message, QueueUrl=url, MessageBody="a" + bad)

    def attribute(name="a", **value):
        fails("InvalidParameterValue", c.send_message, QueueUrl=url, MessageBody="x", MessageAttributes={name: value})

    attribute(DataType="String", StringValue="")
    attribute(DataType="Binary", BinaryValue=b"")
    attribute(DataType="Number", StringValue="seven")
    attribute(DataType="Text", StringValue="x")
    attribute(DataType="String", BinaryValue=b"x")
    attribute(name="AWS.mine", DataType="String", StringValue="x")
    attribute(name=".dot", DataType="String", StringValue="x")
    attribute(name="two..dots", DataType="String", StringValue="x")
    attribute(name="n" * 257, DataType="String", StringValue="x")
    eleven = {f"a{i}": {"DataType": "String", "StringValue": "x"} for i in range(11)}
    fails("InvalidParameterValue", c.send_message, QueueUrl=url, MessageBody="x", MessageAttributes=eleven)
    fails("InvalidParameterValue", c.send_message, QueueUrl=url, MessageBody="x",
          MessageSystemAttributes={"Other": {"DataType": "String", "StringValue": "x"}})
    sqs.nothing(url)


def ranges(sqs):
    c, url = sqs.client, sqs.queue()
    for name, values, text in [("MaxNumberOfMessages", (0, 11), "Must be between 1 and 10, if provided."),
                               ("WaitTimeSeconds", (-1, 21), "Must be >= 0 and <= 20, if provided."),
                               ("VisibilityTimeout", (-1, 43201), "")]:
        for v in values:
            fails("InvalidParameterValue", c.receive_message, text, QueueUrl=url, **{name: v})
    for v in (-1, 901):
        fails("InvalidParameterValue", c.send_message, QueueUrl=url, MessageBody="x", DelaySeconds=v)
    sqs.nothing(url)


def dead_letter(sqs):
    c, dead = sqs.client, sqs.queue()
    url = sqs.queue(VisibilityTimeout="1", RedrivePolicy=policy(sqs, dead, 2))
    sent = sqs.send(url, "poison", MessageAttributes={"k": {"DataType": "String", "StringValue": "값"}})
    for _ in range(2):
        sqs.take(url, 1, VisibilityTimeout=0)
    sqs.nothing(url, 1)
    [m] = sqs.take(dead, 1, AttributeNames=["All"], MessageAttributeNames=["All"])
    equal((m["Body"], m["MessageAttributes"]["k"]["StringValue"]), ("poison", "값"))
    equal(m["Attributes"].get("DeadLetterQueueSourceArn"), sqs.arn(url), "where it came from")
    equal(m["MessageId"], sent["MessageId"], "its id")
    equal(c.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"], [url], "sources")
    sqs.nothing(url)


def policy(sqs, dead, attempts):
    return f'{{"deadLetterTargetArn":"{sqs.arn(dead)}","maxReceiveCount":{attempts}}}'


def move_task(sqs):
    c, dead = sqs.client, sqs.queue()
    url, other = sqs.queue(RedrivePolicy=policy(sqs, dead, 1)), sqs.queue()
    bodies = [f"m{i}" for i in range(5)]
    sqs.send(url, *bodies)
    sqs.take(url, 5, VisibilityTimeout=0)
    sqs.nothing(url, 1)
    until("5 dead letters", lambda: sqs.attribute(dead, "ApproximateNumberOfMessages") == "5")
    handle = c.start_message_move_task(SourceArn=sqs.arn(dead))["TaskHandle"]
    holds(handle, "no task handle")
    equal(sorted(sqs.bodies(url, 5, VisibilityTimeout=60)), bodies, "back at the source")
    until("the task is over", lambda: tasks(c, sqs, dead)[0]["Status"] == "COMPLETED")
    task = tasks(c, sqs, dead)[0]
    equal((task["SourceArn"], task["ApproximateNumberOfMessagesMoved"]), (sqs.arn(dead), 5))
    # To a place of its own choosing, slowly, and called off.
    sqs.send(url, *[f"n{i}" for i in range(20)])
    for _ in range(2):
        sqs.take(url, 10, VisibilityTimeout=0)
    sqs.nothing(url, 1)
    until("20 more dead letters", lambda: sqs.attribute(dead, "ApproximateNumberOfMessages") == "20")
    handle = c.start_message_move_task(SourceArn=sqs.arn(dead), DestinationArn=sqs.arn(other), MaxNumberOfMessagesPerSecond=1)["TaskHandle"]
    equal(len(sqs.take(other, 1)), 1, "moved")
    until("it is counted", lambda: tasks(c, sqs, dead)[0]["ApproximateNumberOfMessagesMoved"] >= 1)
    running = tasks(c, sqs, dead)[0]
    equal((running["Status"], running["DestinationArn"], running["MaxNumberOfMessagesPerSecond"], running["TaskHandle"]),
          ("RUNNING", sqs.arn(other), 1, handle))
    fails("UnsupportedOperation", c.start_message_move_task, SourceArn=sqs.arn(dead))
    holds(1 <= c.cancel_message_move_task(TaskHandle=handle)["ApproximateNumberOfMessagesMoved"] < 20, "moved before the end")
    until("the task is called off", lambda: tasks(c, sqs, dead)[0]["Status"] == "CANCELLED")
    fails("ResourceNotFoundException", c.start_message_move_task, SourceArn=sqs.arn(dead) + "-gone", status=404)
    fails("InvalidParameterValue", c.start_message_move_task, SourceArn=sqs.arn(other))


def tasks(c, sqs, dead):
    return c.list_message_move_tasks(SourceArn=sqs.arn(dead), MaxResults=10)["Results"]


def redrive_policies(sqs):
    c, dead, url = sqs.client, sqs.queue(), sqs.queue()

    def refused(value, source=url):
        fails("InvalidParameterValue", c.set_queue_attributes, QueueUrl=source, Attributes={"RedrivePolicy": value})

    refused("{")
    refused(policy(sqs, dead, 0))
    refused(policy(sqs, dead, 1001))
    refused(policy(sqs, dead, 3).replace('"}', '-gone"}').replace(dead.rsplit("/", 1)[1], "gone"))
    refused(f'{{"deadLetterTargetArn":"{sqs.arn(dead)}"}}')
    refused(policy(sqs, sqs.fifo(), 3))
    c.set_queue_attributes(QueueUrl=dead, Attributes={"RedriveAllowPolicy": '{"redrivePermission":"denyAll"}'})
    refused(policy(sqs, dead, 3))
    allowed = f'{{"redrivePermission":"byQueue","sourceQueueArns":["{sqs.arn(url)}"]}}'
    c.set_queue_attributes(QueueUrl=dead, Attributes={"RedriveAllowPolicy": allowed})
    c.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": policy(sqs, dead, 3)})
    refused(policy(sqs, dead, 3), sqs.queue())
    c.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": ""})
    equal(c.list_dead_letter_source_queues(QueueUrl=dead).get("queueUrls", []), [], "sources after the policy was removed")


def run(suite, sqs):
    suite.run("message: send, receive, delete", send_receive_delete, sqs)
    suite.run("message: Korean text and other characters", text, sqs)
    suite.run("message: attributes of every type", message_attributes, sqs)
    suite.run("message: attributes as asked for", chosen_attributes, sqs)
    suite.run("message: system attributes as asked for", system_attributes, sqs)
    suite.run("message: batch of ten", batch_of_ten, sqs)
    suite.run("message: batch refused in part", batch_in_part, sqs)
    suite.run("message: batches refused whole", batch_refused, sqs)
    suite.run("message: short and long polls", polls, sqs)
    suite.run("message: a lease that ends", lease_ends, sqs)
    suite.run("message: change of visibility", visibility, sqs)
    suite.run("message: change of visibility in a batch", visibility_batch, sqs)
    suite.run("message: deletion in a batch", delete_batch, sqs)
    suite.run("message: delays", delays, sqs)
    suite.run("message: sizes", sizes, sqs)
    suite.run("message: contents that are refused", contents, sqs)
    suite.run("message: parameters out of range", ranges, sqs)
    suite.run("dead letter: after two receives", dead_letter, sqs)
    suite.run("dead letter: moved back, and elsewhere", move_task, sqs)
    suite.run("dead letter: policies that are refused", redrive_policies, sqs)
