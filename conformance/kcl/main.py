"""Amazon's Kinesis Client Library for Java, with its tables on moto's DynamoDB.

    main.py --java "java @FILE" [--only TITLE]

Workers of one application come and go, 1 → 3 → 1, one of them by SIGKILL, while
shards split and merge and a producer puts records, some of them aggregated. What
the workers print says whether every record was processed, parents before their
children, and each key's records in order.
"""

import argparse
import itertools
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[1:1] = [os.path.join(HERE, "..", "boto3"), os.path.join(HERE, "..", "kinesis-boto3")]
from aws_kinesis_agg import aggregator  # noqa: E402 (the paths come first)
from harness import Suite, equal, holds, unique, until  # noqa: E402
from kinesis import Kinesis, hash_of, hash_range  # noqa: E402

PATIENCE = 150  # seconds for the workers to notice something


def spread(count):
    """That many keys, one in each equal part of the hash range."""
    found = {}
    for i in itertools.count():
        found.setdefault(hash_of(f"key-{i}") * count >> 128, f"key-{i}")
        if len(found) == count:
            return [found[part] for part in range(count)]


# The library (VarianceBasedLeaseAssignmentDecider) gives no worker a lease that would bring it above the mean of the workers'
# throughput. There are four shards when the three workers meet: with a quarter of the traffic each, every worker can have one.
KEYS = spread(20)


class Worker:
    def __init__(self, java, application, stream, name, mode, dynamo, log):
        env = dict(os.environ, AWS_ENDPOINT_URL_DYNAMODB=dynamo, AWS_ENDPOINT_URL_CLOUDWATCH=dynamo)
        self.events, self.name = [], name
        self.process = subprocess.Popen([*java, "conformance.Worker", application, stream, name, mode],
                                        stdout=subprocess.PIPE, stderr=log, env=env, text=True)
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            at, what, *rest = line.split()
            self.events.append((int(at), what, *rest))

    def of(self, what):
        return [e for e in list(self.events) if e[1] == what]

    def end(self, how):
        self.process.send_signal(how)
        try:
            self.process.wait(40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.reader.join()


class Producer(threading.Thread):
    """Puts numbered records with each key in turn, every third time three in one."""

    def __init__(self, k, stream):
        super().__init__()
        self.k, self.stream, self.sent, self.stop, self.failure = k, stream, {}, threading.Event(), None

    def run(self):
        try:
            n = 0
            while not self.stop.wait(0.01):
                n += 1
                self.put(KEYS[n % len(KEYS)], 3 if n % 3 == 0 else 1)
        except Exception as e:  # the scene reports it
            self.failure = e

    def put(self, key, count):
        agg, first = aggregator.RecordAggregator(), self.sent.get(key, 0)
        for i in range(count):
            agg.add_user_record(key, str(first + i).encode())
        data = str(first).encode() if count == 1 else agg.clear_and_get().get_contents()[2]
        self.k.client.put_record(StreamName=self.stream, Data=data, PartitionKey=key)
        self.sent[key] = first + count


class Scene:
    def __init__(self, k, java, mode, dynamo, log):
        self.k, self.mode = k, mode
        self.stream = k.stream(2)
        application = unique("kcl-" + mode)
        self.start = lambda name: Worker(java, application, self.stream, name, mode, dynamo, log)
        self.workers, self.sent = [], None

    def play(self):
        producer = Producer(self.k, self.stream)
        sent = producer.sent
        try:
            self.workers.append(self.start("w1"))
            one = self.workers[0]
            producer.start()
            self.wait("the first worker processes both shards", lambda: {e[2] for e in one.of("record")} >= {"shardId-000000000000", "shardId-000000000001"})
            self.split("shardId-000000000000")
            self.split("shardId-000000000001")
            self.wait("it goes on to the children", lambda: {e[2] for e in one.of("record")} >= {f"shardId-{n:012}" for n in (2, 3, 4, 5)})
            self.workers += [self.start("w2"), self.start("w3")]
            for w in self.workers[1:]:
                self.wait(f"{w.name} takes a share", lambda: w.of("record"))
            self.split("shardId-000000000004")
            self.merge("shardId-000000000002", "shardId-000000000003")
            self.wait("somebody goes on to the merged shard", lambda: self.seen("shardId-000000000008"))
            self.workers[2].end(signal.SIGKILL)
            self.split("shardId-000000000008")
            self.wait("somebody goes on to its children", lambda: self.seen("shardId-000000000009") and self.seen("shardId-000000000010"))
            self.workers[1].end(signal.SIGTERM)
            time.sleep(2)  # of load, for the one that stays
            producer.stop.set()
            producer.join()
            self.wait("all is processed", lambda: self.processed() >= numbers(sent))
        finally:
            producer.stop.set()
            for w in self.workers:
                w.end(signal.SIGTERM)
        if producer.failure:
            raise producer.failure
        self.sent = sent

    def wait(self, what, holds):
        until(f"{self.mode}: {what}", holds, PATIENCE)

    def split(self, shard):
        [found] = [s for s in self.k.shards(self.stream) if s["ShardId"] == shard]
        start, end = hash_range(found)
        self.k.client.split_shard(StreamName=self.stream, ShardToSplit=shard, NewStartingHashKey=str((start + end) // 2))
        self.k.active(self.stream)

    def merge(self, a, b):
        self.k.client.merge_shards(StreamName=self.stream, ShardToMerge=a, AdjacentShardToMerge=b)
        self.k.active(self.stream)

    def events(self):
        return sorted((e for w in self.workers for e in list(w.events)), key=lambda e: e[0])

    def seen(self, shard):
        return any(e[1] == "record" and e[2] == shard for e in self.events())

    def processed(self):
        return {(e[3], int(e[4])) for e in self.events() if e[1] == "record"}

    def complete(self):
        wanted = numbers(self.played())
        equal(len(wanted - self.processed()), 0, "records that nobody processed")
        equal(len(self.processed() - wanted), 0, "records that nobody put")
        total = sum(1 for e in self.events() if e[1] == "record")
        print(f"     {self.mode}: {len(wanted)} records, {total - len(wanted)} of them processed again", flush=True)

    def played(self):
        holds(self.sent is not None, "the scene was not played to its end")
        return self.sent

    def parents_first(self):
        self.played()
        ended, begun = {}, {}
        for e in self.events():
            if e[1] == "end":
                ended.setdefault(e[2], e[0])
            elif e[1] == "record":
                begun.setdefault(e[2], e[0])
        for shard in self.k.shards(self.stream):
            for parent in (shard.get("ParentShardId"), shard.get("AdjacentParentShardId")):
                if parent:
                    holds(parent in ended and shard["ShardId"] in begun, f"{parent} never ended, or {shard['ShardId']} never began")
                    holds(ended[parent] <= begun[shard["ShardId"]], f"{shard['ShardId']} began before {parent} ended")

    def order(self):
        """What is processed again does not count: the first time does."""
        self.played()
        last, seen = {}, set()
        for _, what, *rest in self.events():
            if what != "record":
                continue
            _, key, number = rest
            if (key, number) in seen:
                continue
            seen.add((key, number))
            equal(int(number), last.get(key, -1) + 1, f"number after {last.get(key)} of {key}")
            last[key] = int(number)


def numbers(sent):
    return {(key, i) for key, n in sent.items() for i in range(n)}


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


def moto(log):
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], stdout=log, stderr=log)

    def answers():
        try:
            return socket.create_connection(("127.0.0.1", port), 1).close() is None
        except OSError:
            return False

    until("moto answers", answers, 120)
    return process, f"http://127.0.0.1:{port}"


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--java", required=True, help="the command that runs Java with the library's class path")
    a.add_argument("--only", default="", help="only scenes whose title contains this")
    a.add_argument("--log", default="", help="file for what the workers log")
    o = a.parse_args()
    suite, k = Suite("kcl", o.only), Kinesis()
    with open(o.log, "w") if o.log else tempfile.TemporaryFile("w") as log:
        dynamo, url = moto(log)
        try:
            for mode in ("polling", "fanout"):
                scene = Scene(k, shlex.split(o.java), mode, url, log)
                suite.run(f"{mode}: workers 1 → 3 → 1, shards that split and merge", scene.play)
                suite.run(f"{mode}: every record is processed", scene.complete)
                suite.run(f"{mode}: parents before their children", scene.parents_first)
                suite.run(f"{mode}: each key in order", scene.order)
        finally:
            dynamo.terminate()
            dynamo.wait()
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
