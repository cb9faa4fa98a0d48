"""What the generated client can do: every call gives a model, or a Problem."""

import base64
import io

from naru_client import Client, models
from naru_client.api.call import open_reply_channel, reply, request
from naru_client.api.queue import ack, ack_one, create_queue, delete_queue, get_queue, nack_one, peek, receive, send
from naru_client.api.system import get_status, list_settings
from naru_client.api.topic import create_topic, delete_topic, get_topic, list_topics, produce, read, update_topic
from naru_client.types import UNSET, File, Unset

from harness import equal, holds, unique

KOREAN = "나루: 배가 닿는 곳 🚢"


def good(answer, model):
    holds(isinstance(answer, model), f"answered {answer!r}, want {model.__name__}")
    return answer


def refused(answer, status, code):
    problem = good(answer.parsed, models.Problem)
    equal((answer.status_code, problem.code), (status, code), "status and code")
    holds(problem.message, "an error without a message")


def topic(client):
    name = unique("t")
    good(create_topic.sync(client=client, body=models.CreateTopicRequest(topic=name, partitions=1)), models.Topic)
    return name


def queue(client, **settings):
    name = unique("q")
    body = models.CreateQueueRequest(queue=name, settings=models.NewQueueSettings(**settings))
    good(create_queue.sync(client=client, body=body), models.Queue)
    return name


def covers(client, document):
    """Every operation of the document became a function."""
    import importlib
    import pkgutil

    import naru_client.api
    from ruamel.yaml import YAML

    paths = YAML(typ="safe").load(document)["paths"]
    ids = [op["operationId"] for path in paths.values() for verb, op in path.items() if verb in ("get", "post", "patch", "delete", "put")]
    holds(len(ids) == len(set(ids)) and len(ids) > 40, f"{len(ids)} operations, {len(set(ids))} names")
    made = set()
    for tag in pkgutil.iter_modules(naru_client.api.__path__):
        package = importlib.import_module(f"naru_client.api.{tag.name}")
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{package.__name__}.{module.name}")
            made.add(module.name.replace("_", ""))
    equal({i.lower() for i in ids} - made, set(), "operations without a function")


def topics(client):
    name = unique("t")
    settings = models.CreateTopicRequestSettings.from_dict({"retention.ms": "60000"})
    made = good(create_topic.sync(client=client, body=models.CreateTopicRequest(topic=name, partitions=2, settings=settings)), models.Topic)
    equal((made.topic, made.partition_count), (name, 2), "made")
    got = good(get_topic.sync(name, client=client), models.Topic)
    equal([(p.partition or 0) for p in got.partitions], [0, 1], "partitions")
    equal([s.value for s in got.settings if s.name == "retention.ms"], ["60000"], "retention.ms")
    listed = good(list_topics.sync(client=client, prefix=name), models.ListTopicsResponse)
    equal([t.topic for t in listed.topics], [name], "list")
    grown = good(update_topic.sync(name, client=client, body=models.UpdateTopicBody(partitions=3)), models.Topic)
    equal(grown.partition_count, 3, "grown")
    good(delete_topic.sync(name, client=client), models.DeleteTopicResponse)
    refused(get_topic.sync_detailed(name, client=client), 404, "not_found")


def records(client):
    name, binary = topic(client), base64.b64encode(bytes(range(256))).decode()
    sent = [models.NewRecord(key_text="열쇠", text=KOREAN, content_type="text/plain", headers=[models.Header(name="이름", text="값")]),
            models.NewRecord(bytes_=binary), models.NewRecord()]
    answer = good(produce.sync(name, client=client, body=models.ProduceJsonBody(records=sent)), models.ProduceResponse)
    equal([int(r.offset or 0) for r in answer.results], [0, 1, 2], "offsets")
    text, raw, null = good(read.sync(name, client=client), models.ReadResponse).records
    equal((text.key_text, text.text, text.content_type, text.headers[0].name), ("열쇠", KOREAN, "text/plain", "이름"), "text")
    equal((raw.bytes_, null.text, null.bytes_), (binary, UNSET, UNSET), "bytes and null")
    first = good(read.sync(name, client=client, max_records=2), models.ReadResponse)
    rest = good(read.sync(name, client=client, cursor=first.cursor), models.ReadResponse)
    equal((len(first.records), [int(r.offset) for r in rest.records], rest.end), (2, [2], True), "by cursor")


def raw(client):
    """A bare body is a value, kept with its media type."""
    name, binary = topic(client), bytes(range(256))
    good(produce.sync(name, client=client, body=File(payload=io.BytesIO(binary))), models.ProduceResponse)
    [got] = good(read.sync(name, client=client), models.ReadResponse).records
    equal((base64.b64decode(got.bytes_), got.content_type), (binary, "application/octet-stream"), "the record")


def idempotent(client):
    name, key = topic(client), unique("key")
    body = models.ProduceJsonBody(records=[models.NewRecord(text="한 번만")])
    for _ in range(2):
        answer = good(produce.sync(name, client=client, body=body, idempotency_key=key), models.ProduceResponse)
    equal(answer.results[0].duplicate, True, "duplicate")
    equal(len(good(read.sync(name, client=client), models.ReadResponse).records), 1, "records")


def queues(client):
    name = queue(client, lanes=3, lease="60s")
    messages = [models.NewMessage(text=f"{p} {KOREAN}", priority=p) for p in (0, 2, 1)]
    answer = good(send.sync(name, client=client, body=models.SendJsonBody(messages=messages)), models.SendResponse)
    holds(all(r.id and isinstance(r.error, Unset) for r in answer.results), f"results {answer.results}")
    equal(len(good(peek.sync(name, client=client), models.PeekResponse).messages), 3, "peek")
    got = good(receive.sync(name, client=client, body=models.ReceiveBody(max_messages=3, wait="5s")), models.ReceiveResponse).messages
    equal([m.text[0] for m in got], ["2", "1", "0"], "by priority")
    good(nack_one.sync(name, got[0].delivery, client=client, body=models.NackOneBody()), models.SettleResponse)
    good(ack_one.sync(name, got[1].delivery, client=client), models.SettleResponse)
    [again] = good(receive.sync(name, client=client, body=models.ReceiveBody(wait="5s")), models.ReceiveResponse).messages
    equal((again.id, again.attempts), (got[0].id, 2), "after nack")
    settled = good(ack.sync(name, client=client, body=models.AckBody(deliveries=[again.delivery, got[2].delivery])), models.SettleResponse)
    equal([s.error for s in settled.results], [UNSET, UNSET], "settled")
    stats = good(get_queue.sync(name, client=client), models.Queue).stats
    equal((int(stats.ready or 0), int(stats.in_flight or 0), int(stats.acked)), (0, 0, 3), "ready, in flight, acked")
    good(delete_queue.sync(name, client=client), models.DeleteQueueResponse)


def calls(client, base):
    from concurrent.futures import ThreadPoolExecutor

    name, caller = queue(client), Client(base, timeout=60)
    opened = good(open_reply_channel.sync(client=client, body=models.OpenReplyChannelRequest(client=name)), models.OpenReplyChannelResponse)
    holds(opened.queue, "no channel")
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(request.sync, name, client=caller, body=models.RequestBody(message=models.NewMessage(text="몇 시?"), timeout="20s"))
        [m] = good(receive.sync(name, client=client, body=models.ReceiveBody(wait="10s")), models.ReceiveResponse).messages
        answer = models.ReplyRequest(reply_to=m.reply_to, correlation_id=m.correlation_id, message=models.NewMessage(text="세 시"))
        good(reply.sync(client=client, body=answer), models.ReplyResponse)
        equal(good(asking.result(), models.RequestResponse).reply.text, "세 시", "the answer")


def system(client):
    status = good(get_status.sync(client=client), models.Status)
    holds(status.ready and status.version, f"status {status}")
    holds(status.started_time.tzinfo, "a time without a zone")
    holds(good(list_settings.sync(client=client), models.ListSettingsResponse).settings, "no settings")


def errors(client):
    name = topic(client)
    refused(get_topic.sync_detailed("no-such", client=client), 404, "not_found")
    refused(create_topic.sync_detailed(client=client, body=models.CreateTopicRequest(topic=name)), 409, "already_exists")
    refused(create_topic.sync_detailed(client=client, body=models.CreateTopicRequest(topic="with space")), 400, "invalid_argument")
    refused(produce.sync_detailed(name, client=client, body=models.ProduceJsonBody(records=[])), 400, "invalid_argument")
    refused(read.sync_detailed(name, client=client, cursor="nonsense"), 400, "invalid_argument")
    refused(receive.sync_detailed("no-such", client=client, body=models.ReceiveBody()), 404, "not_found")


def run(suite, base, document):
    client = Client(base, timeout=60)
    suite.run("every operation has a function", covers, client, document)
    suite.run("topics: create, describe, list, change, delete", topics, client)
    suite.run("records: Korean, bytes, null; by cursor", records, client)
    suite.run("records: a bare body", raw, client)
    suite.run("records: Idempotency-Key", idempotent, client)
    suite.run("queues: send, receive, ack, nack", queues, client)
    suite.run("calls: request and reply", calls, client, base)
    suite.run("system: status and settings", system, client)
    suite.run("errors are Problems", errors, client)
