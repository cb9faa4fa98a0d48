"""Topics: life, records, streams, errors."""

import threading

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from naru.v1 import records_pb2, topics_pb2

from harness import equal, eventually, fails, holds, record, unique

Code = grpc.StatusCode
KOREAN = "나루: 배가 닿는 곳 🚢"


def life(naru):
    name = unique("t")
    made = naru.topics.CreateTopic(topics_pb2.CreateTopicRequest(topic=name, partitions=3, settings={"retention.ms": "60000"}))
    equal((made.topic, made.partition_count, made.internal), (name, 3, False), "made")
    got = naru.topics.GetTopic(topics_pb2.GetTopicRequest(topic=name))
    equal([(p.partition, p.log_start, p.end) for p in got.partitions], [(0, 0, 0), (1, 0, 0), (2, 0, 0)], "partitions")
    settings = {s.name: s for s in got.settings}
    equal((settings["retention.ms"].value, settings["retention.ms"].overridden), ("60000", True), "retention.ms")
    holds(got.id, "no id")
    listed = naru.topics.ListTopics(topics_pb2.ListTopicsRequest(prefix=name)).topics
    equal([(t.topic, len(t.partitions)) for t in listed], [(name, 0)], "list")
    naru.topics.DeleteTopic(topics_pb2.DeleteTopicRequest(topic=name))
    fails(Code.NOT_FOUND, naru.topics.GetTopic, topics_pb2.GetTopicRequest(topic=name))


def settings(naru):
    name = naru.topic()
    update = topics_pb2.UpdateTopicRequest(topic=name, settings={"retention.bytes": "123456"}, partitions=4)
    got = naru.topics.UpdateTopic(update)
    equal((got.partition_count, setting(got, "retention.bytes")), (4, ("123456", True)), "after the change")
    got = naru.topics.UpdateTopic(topics_pb2.UpdateTopicRequest(topic=name, reset=["retention.bytes"]))
    equal((got.partition_count, setting(got, "retention.bytes")), (4, ("-1", False)), "after the reset")
    fails(Code.INVALID_ARGUMENT, naru.topics.UpdateTopic, topics_pb2.UpdateTopicRequest(topic=name, settings={"no.such": "1"}))
    fails(Code.INVALID_ARGUMENT, naru.topics.UpdateTopic, topics_pb2.UpdateTopicRequest(topic=name, settings={"retention.ms": "x"}))
    fails((Code.INVALID_ARGUMENT, Code.FAILED_PRECONDITION), naru.topics.UpdateTopic, topics_pb2.UpdateTopicRequest(topic=name, partitions=1))


def setting(topic, name):
    return next((s.value, s.overridden) for s in topic.settings if s.name == name)


def pages(naru):
    prefix = unique("page")
    names = [f"{prefix}-{i}" for i in range(5)]
    for name in reversed(names):
        naru.topics.CreateTopic(topics_pb2.CreateTopicRequest(topic=name))
    got, token = [], ""
    for _ in range(3):
        page = naru.topics.ListTopics(topics_pb2.ListTopicsRequest(prefix=prefix, page_size=2, page_token=token))
        holds(len(page.topics) <= 2, f"{len(page.topics)} topics on a page of 2")
        got += [t.topic for t in page.topics]
        token = page.next_page_token
    equal((got, token), (names, ""), "pages")


def thousand(naru):
    """1,000 records in batches come back, each as it was, in order in its partition."""
    name = naru.topic(partitions=3)
    sent = {}
    for start in range(0, 1000, 100):
        batch = [record(f"값 {i}", key_text=f"key-{i % 17}") for i in range(start, start + 100)]
        for r, produced in zip(batch, naru.produce(name, *batch)):
            where = produced.partition, produced.offset
            holds(where not in sent, f"two records at {where}")
            sent[where] = r.key_text, r.text
    got = naru.read(name, 1000, max_records=137)
    equal({(r.partition, r.offset): (r.key_text, r.text) for r in got}, sent, "records")
    in_order(got)
    end = naru.topics.GetTopic(topics_pb2.GetTopicRequest(topic=name))
    equal((end.records, sum(p.end for p in end.partitions)), (1000, 1000), "records in the description")


def in_order(records):
    """Offsets of a partition follow each other without a gap."""
    last = {}
    for r in records:
        if r.partition in last:
            equal(r.offset, last[r.partition] + 1, f"the offset after {last[r.partition]} in partition {r.partition}")
        last[r.partition] = r.offset


def contents(naru):
    """Text, bytes, null, empty, headers that repeat, and what has fields of its own."""
    name = naru.topic()
    binary = bytes(range(256))
    H = records_pb2.Header
    when = Timestamp(seconds=1_700_000_000, nanos=123_000_000)
    headers = [H(name="이름", text="값"), H(name="a", text="1"), H(name="a", text="2"), H(name="b", bytes=b"\xff\x00"), H(name="null")]
    naru.produce(name, record(KOREAN, key_text="열쇠", headers=headers, content_type="text/plain; charset=utf-8",
                              reply_to="somewhere", correlation_id="c-1", timestamp=when),
                 records_pb2.NewRecord(key_bytes=b"\xfe\xff", bytes=binary), records_pb2.NewRecord(),
                 records_pb2.NewRecord(key_text="", text=""), records_pb2.NewRecord(bytes="글".encode()))
    text, raw, null, empty, utf8 = naru.read(name, 5)
    equal((text.key_text, text.text, text.content_type, text.reply_to, text.correlation_id),
          ("열쇠", KOREAN, "text/plain; charset=utf-8", "somewhere", "c-1"), "text")
    equal(text.timestamp, when, "timestamp")
    equal([h for h in text.headers if not h.name.startswith(("naru.", "content-type"))], headers, "headers")
    equal((raw.key_bytes, raw.bytes, raw.WhichOneof("value")), (b"\xfe\xff", binary, "bytes"), "bytes")
    equal((null.WhichOneof("key"), null.WhichOneof("value")), (None, None), "null")
    equal((empty.WhichOneof("key"), empty.WhichOneof("value"), empty.text), ("key_text", "text", ""), "empty")
    equal((utf8.WhichOneof("value"), utf8.text), ("text", "글"), "bytes that are UTF-8")


def positions(naru):
    """Where a read begins: an offset, the end, a time, a filter; and trim."""
    name = naru.topic()
    naru.produce(name, *(record(str(i), key_text="odd" if i % 2 else "even", headers=[records_pb2.Header(name="n", text=str(i))]) for i in range(10)))

    def texts(**more):
        return [r.text for r in naru.topics.Read(topics_pb2.ReadRequest(topic=name, **more)).records]

    every = [str(i) for i in range(10)]
    equal(texts(), every, "from the start")
    equal(texts(**{"from": "7"}), every[7:], "from an offset")
    equal(texts(**{"from": "latest"}), [], "from the end")
    equal(texts(**{"from": "-10m"}), every, "from ten minutes ago")
    equal(texts(**{"from": "2100-01-01T00:00:00Z"}), [], "from a time that is to come")
    equal(texts(filter="key=odd"), every[1::2], "by key")
    equal(texts(filter="n=4"), ["4"], "by header")
    equal(texts(max_records=3), every[:3], "three")
    first = naru.topics.Read(topics_pb2.ReadRequest(topic=name, max_records=4))
    holds(not first.end and first.cursor, f"end {first.end}, cursor {first.cursor!r}")
    rest = naru.topics.Read(topics_pb2.ReadRequest(topic=name, cursor=first.cursor))
    equal(([r.text for r in rest.records], rest.end), (every[4:], True), "by cursor")
    equal(naru.topics.TrimTopic(topics_pb2.TrimTopicRequest(topic=name, before=6)).log_start, 6, "log start")
    equal(texts(), every[6:], "after the trim")


def subscribe(naru):
    """A stream sees what is produced meanwhile, and resumes after it was cancelled."""
    name = naru.topic(partitions=2)
    failure = []

    def produce():
        try:
            for start in range(0, 500, 50):
                naru.produce(name, *(record(str(i), key_text=str(i % 7)) for i in range(start, start + 50)))
        except Exception as e:
            failure.append(e)

    producer = threading.Thread(target=produce)
    producer.start()
    got, cursor = follow(naru, topics_pb2.SubscribeRequest(topic=name, **{"from": "earliest"}), 200)
    more, _ = follow(naru, topics_pb2.SubscribeRequest(topic=name, cursor=cursor), 500 - len(got))
    producer.join()
    holds(not failure, f"the producer: {failure}")
    got += more
    in_order(got)
    equal(sorted(int(r.text) for r in got), list(range(500)), "records, each once")


def follow(naru, request, n):
    """Reads a stream until n records came, and cancels it."""
    stream = naru.topics.Subscribe(request, timeout=30)
    got, cursor = [], ""
    for answer in stream:
        got += answer.records
        cursor = answer.cursor or cursor
        if len(got) >= n:
            break
    stream.cancel()
    holds(len(got) >= n, f"the stream ended after {len(got)} of {n} records")
    return got, cursor


def subscribe_latest(naru):
    """Without a place to begin a stream sees only what comes."""
    name = naru.topic()
    naru.produce(name, record("before"))
    stream = naru.topics.Subscribe(topics_pb2.SubscribeRequest(topic=name), timeout=20)
    first = next(stream)
    equal((len(first.records), bool(first.cursor)), (0, True), "the answer that tells where it begins")
    naru.produce(name, record("after"))
    got = next(a for a in stream if a.records)
    stream.cancel()
    equal([r.text for r in got.records], ["after"])


def long_read(naru):
    """A read that waits is woken by a record."""
    name = naru.topic()
    waiting = naru.topics.Read.future(topics_pb2.ReadRequest(topic=name, wait={"seconds": 20}), timeout=30)
    naru.produce(name, record("awake"))
    equal([r.text for r in waiting.result().records], ["awake"])


def idempotent(naru):
    name = naru.topic(partitions=4)
    request = topics_pb2.ProduceRequest(topic=name, records=[record("한 번"), record("만")])
    meta = [("idempotency-key", unique("key"))]
    first = naru.topics.Produce(request, metadata=meta).results
    again = naru.topics.Produce(request, metadata=meta).results
    equal([(r.partition, r.offset) for r in again], [(r.partition, r.offset) for r in first], "where they are")
    equal(([r.duplicate for r in first], [r.duplicate for r in again]), ([False] * 2, [True] * 2), "duplicate")
    equal([r.text for r in naru.read(name, 2)], ["한 번", "만"], "records")
    other = topics_pb2.ProduceRequest(topic=name, records=[record("another")])
    fails((Code.ALREADY_EXISTS, Code.INVALID_ARGUMENT, Code.FAILED_PRECONDITION), naru.topics.Produce, other, metadata=meta)
    equal(naru.topics.GetTopic(topics_pb2.GetTopicRequest(topic=name)).records, 2, "records after all")


def errors(naru):
    t, name = naru.topics, naru.topic()
    get = topics_pb2.GetTopicRequest
    holds("no-such" in fails(Code.NOT_FOUND, t.GetTopic, get(topic="no-such")), "the message names the topic")
    fails(Code.NOT_FOUND, t.Read, topics_pb2.ReadRequest(topic="no-such"))
    fails(Code.NOT_FOUND, t.DeleteTopic, topics_pb2.DeleteTopicRequest(topic="no-such"))
    fails(Code.NOT_FOUND, t.Read, topics_pb2.ReadRequest(topic=name, partitions=[7]))
    fails(Code.ALREADY_EXISTS, t.CreateTopic, topics_pb2.CreateTopicRequest(topic=name))
    for bad in ("", "with space", "x" * 250, "한글", ".."):
        fails(Code.INVALID_ARGUMENT, t.CreateTopic, topics_pb2.CreateTopicRequest(topic=bad))
    fails(Code.INVALID_ARGUMENT, t.CreateTopic, topics_pb2.CreateTopicRequest(topic=unique("t"), partitions=-1))
    fails(Code.INVALID_ARGUMENT, t.CreateTopic, topics_pb2.CreateTopicRequest(topic=unique("t"), settings={"no.such": "1"}))
    fails(Code.INVALID_ARGUMENT, t.Produce, topics_pb2.ProduceRequest(topic=name))
    fails(Code.INVALID_ARGUMENT, t.Produce, topics_pb2.ProduceRequest(topic=name, records=[record("")] * 1001))
    fails(Code.INVALID_ARGUMENT, t.Read, topics_pb2.ReadRequest(topic=name, **{"from": "yesterday"}))
    fails(Code.INVALID_ARGUMENT, t.Read, topics_pb2.ReadRequest(topic=name, cursor="nonsense"))
    fails(Code.INVALID_ARGUMENT, t.Read, topics_pb2.ReadRequest(topic=name, filter="no equals sign"))
    fails(Code.INVALID_ARGUMENT, t.Read, topics_pb2.ReadRequest(topic=name, max_records=-1))

    def stream(request, timeout):
        return next(iter(t.Subscribe(request, timeout=timeout)))

    fails(Code.NOT_FOUND, stream, topics_pb2.SubscribeRequest(topic="no-such"))
    fails(Code.INVALID_ARGUMENT, stream, topics_pb2.SubscribeRequest(topic=name, cursor="nonsense"))
    fails(Code.DEADLINE_EXCEEDED, t.Read, topics_pb2.ReadRequest(topic=name, wait={"seconds": 30}), timeout=0.3)


def refused_in_part(naru):
    """A record that cannot be there does not take the others with it."""
    name = naru.topic()
    answer = naru.topics.Produce(topics_pb2.ProduceRequest(topic=name, records=[record("good", partition=0), record("bad", partition=9)]))
    good, bad = answer.results
    holds(not good.HasField("error"), f"the good one: {good.error}")
    equal(bad.error.code, "not_found", "the code of the other")
    equal([r.text for r in naru.read(name, 1)], ["good"])


def too_large(naru):
    """More than a topic takes in one record."""
    name = naru.topic(**{"max.message.bytes": "10000"})
    request = topics_pb2.ProduceRequest(topic=name, records=[record("x" * 20_000)])
    codes = Code.RESOURCE_EXHAUSTED, Code.INVALID_ARGUMENT, Code.OUT_OF_RANGE
    try:
        answer = naru.topics.Produce(request, timeout=10)
    except grpc.RpcError as e:
        holds(e.code() in codes, f"{e.code().name} ({e.details()})")
    else:
        holds(answer.results[0].error.code in [c.name.lower() for c in codes], f"answered {answer}")
    naru.produce(name, record("x" * 5000))
    eventually(lambda: equal(len(naru.read(name, 1)), 1))


def run(suite, naru):
    suite.run("topics: create, describe, list, delete", life, naru)
    suite.run("topics: settings and partitions", settings, naru)
    suite.run("topics: pages of a list", pages, naru)
    suite.run("records: 1,000 in batches, read back", thousand, naru)
    suite.run("records: Korean, bytes, null, empty, headers", contents, naru)
    suite.run("records: where a read begins; filters; trim", positions, naru)
    suite.run("records: a read that waits", long_read, naru)
    suite.run("records: Idempotency-Key", idempotent, naru)
    suite.run("records: one of two refused", refused_in_part, naru)
    suite.run("records: too large", too_large, naru)
    suite.run("stream: Subscribe while producing, resumed by cursor", subscribe, naru)
    suite.run("stream: Subscribe from the end", subscribe_latest, naru)
    suite.run("topics: errors and their codes", errors, naru)
