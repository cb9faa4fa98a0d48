"""FIFO queues: order, groups that block, deduplication."""

import uuid

from harness import equal, fails, holds, unique
from message_checks import policy


def put(sqs, url, group, *bodies):
    for body in bodies:
        answer = sqs.send(url, body, MessageGroupId=group, MessageDeduplicationId=str(uuid.uuid4()))
    return answer


def required(sqs):
    c, url = sqs.client, sqs.fifo()
    fails("InvalidParameterValue", c.create_queue, QueueName=unique("q"), Attributes={"FifoQueue": "true"})
    fails("InvalidParameterValue", c.create_queue, QueueName=unique("q") + ".fifo")
    fails("InvalidAttributeName", c.create_queue, QueueName=unique("q"), Attributes={"ContentBasedDeduplication": "true"})
    fails("InvalidAttributeValue", c.set_queue_attributes, QueueUrl=url, Attributes={"FifoQueue": "false"})
    fails("MissingParameter", c.send_message, "MessageGroupId", QueueUrl=url, MessageBody="x", MessageDeduplicationId="d")
    fails("InvalidParameterValue", c.send_message, "ContentBasedDeduplication", QueueUrl=url, MessageBody="x", MessageGroupId="g")
    fails("InvalidParameterValue", c.send_message, "not valid for this queue type", QueueUrl=url, MessageBody="x",
          MessageGroupId="g", MessageDeduplicationId="d", DelaySeconds=2)
    for bad in ("has space", "g" * 129):
        fails("InvalidParameterValue", c.send_message, "MessageGroupId", QueueUrl=url, MessageBody="x", MessageGroupId=bad, MessageDeduplicationId="d")
        fails("InvalidParameterValue", c.send_message, "MessageDeduplicationId", QueueUrl=url, MessageBody="x", MessageGroupId="g", MessageDeduplicationId=bad)
    fails("InvalidParameterValue", c.send_message, QueueUrl=sqs.queue(), MessageBody="x", MessageDeduplicationId="d")
    sqs.nothing(url)


def order(sqs):
    url = sqs.fifo()
    numbers = [int(put(sqs, url, "g", f"{i}")["SequenceNumber"]) for i in range(5)]
    entries = [{"MessageBody": f"{i}", "MessageGroupId": "g", "MessageDeduplicationId": f"d{i}"} for i in range(5, 15)]
    answer = sqs.batch(url, *entries)
    numbers += [int(e["SequenceNumber"]) for e in sorted(answer["Successful"], key=lambda e: int(e["Id"]))]
    holds(numbers == sorted(set(numbers)), f"sequence numbers {numbers}")
    got = []
    while len(got) < 15:
        some = sqs.receive(url, WaitTimeSeconds=1, AttributeNames=["All"])
        holds(some, f"nothing after {len(got)} messages")
        got += some
        sqs.delete(url, *some)
    equal([m["Body"] for m in got], [f"{i}" for i in range(15)], "order")
    equal([int(m["Attributes"]["SequenceNumber"]) for m in got], numbers, "sequence numbers")
    equal((got[7]["Attributes"]["MessageGroupId"], got[7]["Attributes"]["MessageDeduplicationId"]), ("g", "d7"))


def blocked(sqs):
    url = sqs.fifo()
    put(sqs, url, "a", "a1", "a2")
    put(sqs, url, "b", "b1")
    [a1] = sqs.take(url, 1)
    equal(a1["Body"], "a1")
    equal(sqs.bodies(url, 1, WaitTimeSeconds=0, limit=1), ["b1"], "the other group goes on")
    sqs.nothing(url)
    sqs.delete(url, a1)
    equal(sqs.bodies(url, 1), ["a2"], "after the deletion of its head")


def still_blocked(sqs):
    url = sqs.fifo()
    put(sqs, url, "g", "1", "2", "3")
    one, two = sqs.take(url, 2)
    equal([one["Body"], two["Body"]], ["1", "2"])
    put(sqs, url, "g", "4")
    sqs.nothing(url)  # a new message does not free the group
    sqs.hide(url, two, 0)
    sqs.nothing(url)  # nor does letting go of one, while another is in flight
    sqs.hide(url, one, 60)
    sqs.nothing(url)
    sqs.hide(url, one, 0)
    equal(sqs.bodies(url, 4), ["1", "2", "3", "4"], "all over again, in order")


def same_id(sqs):
    url = sqs.fifo()
    first = sqs.send(url, "first", MessageGroupId="g", MessageDeduplicationId="same")
    again = sqs.send(url, "second", MessageGroupId="h", MessageDeduplicationId="same")
    equal((again["MessageId"], again["SequenceNumber"]), (first["MessageId"], first["SequenceNumber"]), "the duplicate's answer")
    entry = {"MessageBody": "third", "MessageGroupId": "g", "MessageDeduplicationId": "same"}
    [e] = sqs.batch(url, entry)["Successful"]
    equal(e["MessageId"], first["MessageId"], "in a batch")
    [m] = sqs.take(url, 1)
    sqs.delete(url, m)
    sqs.send(url, "fourth", MessageGroupId="g", MessageDeduplicationId="same")
    sqs.nothing(url, 1)  # even after the first was deleted


def same_content(sqs):
    url = sqs.fifo(ContentBasedDeduplication="true")
    first = sqs.send(url, "같은 내용", MessageGroupId="g")
    attributes = {"a": {"DataType": "String", "StringValue": "differs"}}
    again = sqs.send(url, "같은 내용", MessageGroupId="g", MessageAttributes=attributes)
    equal(again["MessageId"], first["MessageId"], "equal bodies")
    sqs.send(url, "같은 내용", MessageGroupId="g", MessageDeduplicationId="its-own-id")
    sqs.send(url, "other", MessageGroupId="g")
    equal(sqs.bodies(url, 3), ["같은 내용", "같은 내용", "other"])
    sqs.nothing(url)


def same_in_group(sqs):
    url = sqs.fifo(DeduplicationScope="messageGroup", FifoThroughputLimit="perMessageGroupId")
    for group in ("g", "h", "g"):
        sqs.send(url, group, MessageGroupId=group, MessageDeduplicationId="same")
    equal(sorted(sqs.bodies(url, 2)), ["g", "h"], "one a group")
    sqs.nothing(url)


def attempt(sqs):
    url = sqs.fifo()
    put(sqs, url, "g", "1", "2")
    put(sqs, url, "h", "3")
    try_id = str(uuid.uuid4())
    first = sqs.receive(url, ReceiveRequestAttemptId=try_id, MaxNumberOfMessages=2)
    again = sqs.receive(url, ReceiveRequestAttemptId=try_id, MaxNumberOfMessages=2)
    holds(first, "nothing came")
    equal([m["Body"] for m in again], [m["Body"] for m in first], "the same attempt, the same messages")
    sqs.delete(url, *again)
    equal(len(sqs.take(url, 3 - len(again), ReceiveRequestAttemptId=str(uuid.uuid4()))), 3 - len(again), "the rest")


def expired_handle(sqs):
    url = sqs.fifo()
    put(sqs, url, "g", "1")
    [m] = sqs.take(url, 1, VisibilityTimeout=1)
    [again] = sqs.take(url, 1)
    fails("InvalidParameterValue", sqs.client.delete_message, "receipt handle has expired", QueueUrl=url, ReceiptHandle=m["ReceiptHandle"])
    sqs.delete(url, again)
    sqs.nothing(url)


def dead_letter(sqs):
    dead = sqs.fifo()
    url = sqs.fifo(RedrivePolicy=policy(sqs, dead, 1))
    put(sqs, url, "g", "bad", "good")
    [bad] = sqs.take(url, 1, VisibilityTimeout=0)
    equal(bad["Body"], "bad")
    equal(sqs.bodies(url, 1), ["good"], "the group goes on")
    [m] = sqs.take(dead, 1, AttributeNames=["All"])
    equal((m["Body"], m["Attributes"]["MessageGroupId"]), ("bad", "g"))


def run(suite, sqs):
    suite.run("fifo: what it must be told", required, sqs)
    suite.run("fifo: order in a group and a batch", order, sqs)
    suite.run("fifo: a group blocks, others go on", blocked, sqs)
    suite.run("fifo: blocked through sends and changes of visibility", still_blocked, sqs)
    suite.run("fifo: deduplication by id", same_id, sqs)
    suite.run("fifo: deduplication by content", same_content, sqs)
    suite.run("fifo: deduplication in a group", same_in_group, sqs)
    suite.run("fifo: an attempt at receiving repeated", attempt, sqs)
    suite.run("fifo: a receipt that expired", expired_handle, sqs)
    suite.run("fifo: dead letters keep their group", dead_letter, sqs)
