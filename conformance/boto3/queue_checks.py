"""Queues: their names, attributes, tags, permissions, and what is refused."""

import json
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from harness import equal, fails, holds, unique


def lifecycle(sqs):
    c, name = sqs.client, unique("life")
    url = c.create_queue(QueueName=name)["QueueUrl"]
    equal(c.get_queue_url(QueueName=name)["QueueUrl"], url, "its URL")
    equal(c.list_queues(QueueNamePrefix=name)["QueueUrls"], [url], "listed")
    equal(sqs.arn(url), f"arn:aws:sqs:{sqs.region}:000000000000:{name}", "ARN")
    c.delete_queue(QueueUrl=url)
    fails("QueueDoesNotExist", c.get_queue_url, QueueName=name)
    holds(not c.list_queues(QueueNamePrefix=name).get("QueueUrls"), "listed after its deletion")


def addresses(sqs):
    url = sqs.queue()
    holds(url.startswith(sqs.endpoint + "/"), f"{url} does not begin with {sqs.endpoint}")
    # Under another name of the same address, the URL is that name's.
    parts = urlsplit(sqs.endpoint)
    other = f"{parts.scheme}://localhost:{parts.port}"
    there = sqs.connect(endpoint_url=other)
    name = url.rsplit("/", 1)[1]
    answer = there.get_queue_url(QueueName=name)["QueueUrl"]
    holds(answer.startswith(other + "/"), f"{answer} does not begin with {other}")
    sqs.send(url, "one name")
    got = there.receive_message(QueueUrl=answer, WaitTimeSeconds=20)["Messages"]
    equal([m["Body"] for m in got], ["one name"])


def again(sqs):
    c, name = sqs.client, unique("again")
    url = c.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "7"})["QueueUrl"]
    equal(c.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "7"})["QueueUrl"], url, "the same")
    equal(c.create_queue(QueueName=name)["QueueUrl"], url, "without attributes")
    fails("QueueNameExists", c.create_queue, "VisibilityTimeout", QueueName=name, Attributes={"VisibilityTimeout": "8"})


def pages(sqs):
    c, prefix = sqs.client, unique("page")
    want = sorted(c.create_queue(QueueName=f"{prefix}-{i}")["QueueUrl"] for i in range(7))
    equal(sorted(c.list_queues(QueueNamePrefix=prefix)["QueueUrls"]), want, "all at once")
    got, token, sizes = [], None, []
    while True:
        more = {"NextToken": token} if token else {}
        answer = c.list_queues(QueueNamePrefix=prefix, MaxResults=3, **more)
        sizes.append(len(answer.get("QueueUrls", [])))
        got += answer.get("QueueUrls", [])
        token = answer.get("NextToken")
        if not token:
            break
    equal(sorted(got), want, "in pages")
    equal(sizes, [3, 3, 1], "page sizes")
    if c.can_paginate("list_queues"):
        walk = c.get_paginator("list_queues").paginate(QueueNamePrefix=prefix, PaginationConfig={"PageSize": 2})
        equal(sorted(u for p in walk for u in p.get("QueueUrls", [])), want, "by the paginator")


def attributes(sqs):
    c, url = sqs.client, sqs.queue()
    got = c.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    for name, want in {"VisibilityTimeout": "30", "DelaySeconds": "0", "MessageRetentionPeriod": "345600",
                       "ReceiveMessageWaitTimeSeconds": "0", "MaximumMessageSize": "1048576",
                       "ApproximateNumberOfMessages": "0", "ApproximateNumberOfMessagesNotVisible": "0",
                       "ApproximateNumberOfMessagesDelayed": "0"}.items():
        equal(got.get(name), want, name)
    for name in ("CreatedTimestamp", "LastModifiedTimestamp"):
        holds(got[name].isdigit(), f"{name} is {got[name]}")
    holds("FifoQueue" not in got and "RedrivePolicy" not in got, f"attributes that it has not: {got}")
    new = {"VisibilityTimeout": "12", "DelaySeconds": "3", "MessageRetentionPeriod": "60",
           "ReceiveMessageWaitTimeSeconds": "4", "MaximumMessageSize": "2048"}
    c.set_queue_attributes(QueueUrl=url, Attributes=new)
    equal(c.get_queue_attributes(QueueUrl=url, AttributeNames=list(new))["Attributes"], new, "after the change")
    fails("InvalidAttributeName", c.get_queue_attributes, QueueUrl=url, AttributeNames=["NoSuchThing"])
    fails("InvalidAttributeName", c.set_queue_attributes, QueueUrl=url, Attributes={"NoSuchThing": "1"})
    fifo = c.get_queue_attributes(QueueUrl=sqs.fifo(), AttributeNames=["All"])["Attributes"]
    for name, want in {"FifoQueue": "true", "ContentBasedDeduplication": "false", "DeduplicationScope": "queue",
                       "FifoThroughputLimit": "perQueue"}.items():
        equal(fifo.get(name), want, name)


def unknown(sqs):
    c, url = sqs.client, sqs.queue()
    gone = url + "-gone"
    fails("QueueDoesNotExist", c.get_queue_url, QueueName=unique("none"))
    fails("QueueDoesNotExist", c.send_message, QueueUrl=gone, MessageBody="x")
    fails("QueueDoesNotExist", c.receive_message, QueueUrl=gone)
    fails("QueueDoesNotExist", c.delete_message, QueueUrl=gone, ReceiptHandle="x")
    fails("QueueDoesNotExist", c.get_queue_attributes, QueueUrl=gone, AttributeNames=["All"])
    fails("QueueDoesNotExist", c.delete_queue, QueueUrl=gone)
    fails("QueueDoesNotExist", c.purge_queue, QueueUrl=gone)


def refused(sqs):
    c = sqs.client
    for name in ("", "has space", "x" * 81, "dot.dot", "나루"):
        try:
            c.create_queue(QueueName=name)
        except ClientError as e:
            code = e.response["Error"]["Code"]
            holds(code in ("InvalidParameterValue", "MissingParameter"), f"name {name!r}: {code}")
        else:
            raise AssertionError(f"the name {name!r} was accepted")
    c.create_queue(QueueName=("x" * 80 + unique(""))[-80:])
    for key, value in {"VisibilityTimeout": "43201", "DelaySeconds": "901", "MessageRetentionPeriod": "59",
                       "ReceiveMessageWaitTimeSeconds": "21", "MaximumMessageSize": "1023"}.items():
        fails("InvalidAttributeValue", c.create_queue, QueueName=unique("bad"), Attributes={key: value})
    fails("InvalidAttributeValue", c.create_queue, QueueName=unique("bad"), Attributes={"MaximumMessageSize": "1048577"})
    fails("InvalidAttributeValue", c.create_queue, QueueName=unique("bad"), Attributes={"VisibilityTimeout": "soon"})
    fails("InvalidAttributeName", c.create_queue, QueueName=unique("bad"), Attributes={"NoSuchThing": "1"})


def tags(sqs):
    c, url = sqs.client, sqs.queue(tags={"env": "test", "이름": "나루"})
    equal(c.list_queue_tags(QueueUrl=url)["Tags"], {"env": "test", "이름": "나루"}, "given at creation")
    c.tag_queue(QueueUrl=url, Tags={"env": "live", "empty": ""})
    equal(c.list_queue_tags(QueueUrl=url)["Tags"], {"env": "live", "이름": "나루", "empty": ""}, "after a change")
    c.untag_queue(QueueUrl=url, TagKeys=["env", "empty", "never"])
    equal(c.list_queue_tags(QueueUrl=url)["Tags"], {"이름": "나루"}, "after a removal")
    c.untag_queue(QueueUrl=url, TagKeys=["이름"])
    equal(c.list_queue_tags(QueueUrl=url).get("Tags", {}), {}, "none left")


def permissions(sqs):
    c, url = sqs.client, sqs.queue()
    c.add_permission(QueueUrl=url, Label="mates", AWSAccountIds=["111122223333"], Actions=["SendMessage", "ReceiveMessage"])
    policy = json.loads(sqs.attribute(url, "Policy"))
    equal([s["Sid"] for s in policy["Statement"]], ["mates"], "statements")
    statement = policy["Statement"][0]
    equal(statement["Effect"], "Allow")
    holds("111122223333" in json.dumps(statement["Principal"]), f"principal {statement['Principal']}")
    equal(sorted(a.lower() for a in statement["Action"]), ["sqs:receivemessage", "sqs:sendmessage"], "actions")
    fails("InvalidParameterValue", c.add_permission, "Already exists", QueueUrl=url, Label="mates",
          AWSAccountIds=["111122223333"], Actions=["SendMessage"])
    fails("InvalidParameterValue", c.remove_permission, "find label", QueueUrl=url, Label="others")
    c.remove_permission(QueueUrl=url, Label="mates")
    left = c.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"]).get("Attributes", {}).get("Policy")
    holds(not left or not json.loads(left)["Statement"], f"policy left: {left}")


def purge(sqs):
    c, url = sqs.client, sqs.queue()
    sqs.send(url, "a", "b", "c")
    taken = sqs.take(url, 1)
    c.purge_queue(QueueUrl=url)
    sqs.nothing(url, 1)
    equal(sqs.attribute(url, "ApproximateNumberOfMessages"), "0", "messages left")
    sqs.send(url, "after")
    equal(sqs.bodies(url, 1), ["after"], "sent after the purge")
    try:  # again within a minute: refused by AWS, not by everyone
        c.purge_queue(QueueUrl=url)
    except c.exceptions.PurgeQueueInProgress as e:
        equal(e.response["ResponseMetadata"]["HTTPStatusCode"], 403, "HTTP status")


def counts(sqs):
    url = sqs.queue()
    sqs.send(url, "a", "b", "c", "d")
    sqs.send(url, "later", DelaySeconds=60)
    sqs.take(url, 1)
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"]
    got = sqs.client.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    equal([got[n] for n in names], ["3", "1", "1"], "ready, in flight, delayed")


def run(suite, sqs):
    suite.run("queue: create, find, list, delete", lifecycle, sqs)
    suite.run("queue: addresses follow the endpoint", addresses, sqs)
    suite.run("queue: created again", again, sqs)
    suite.run("queue: listed in pages", pages, sqs)
    suite.run("queue: attributes", attributes, sqs)
    suite.run("queue: one that does not exist", unknown, sqs)
    suite.run("queue: names and attributes that are refused", refused, sqs)
    suite.run("queue: tags", tags, sqs)
    suite.run("queue: permissions", permissions, sqs)
    suite.run("queue: purge", purge, sqs)
    suite.run("queue: counts", counts, sqs)
