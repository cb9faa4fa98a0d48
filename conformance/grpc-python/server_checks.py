"""What the server says of itself: health, reflection, status."""

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from naru.v1 import calls_pb2, queues_pb2, system_pb2, topics_pb2, triggers_pb2

from harness import equal, fails, holds

SERVING = health_pb2.HealthCheckResponse.SERVING


def health(naru):
    stub = health_pb2_grpc.HealthStub(naru.channel)
    equal(stub.Check(health_pb2.HealthCheckRequest()).status, SERVING, "the server")
    equal(stub.Check(health_pb2.HealthCheckRequest(service="naru.v1.TopicService")).status, SERVING, "a service")
    fails(grpc.StatusCode.NOT_FOUND, stub.Check, health_pb2.HealthCheckRequest(service="naru.v1.NoService"))


def reflection(naru):
    """The descriptors that the server tells are those that were compiled here."""
    pool = DescriptorPool(ProtoReflectionDescriptorDatabase(naru.channel))
    for module in (topics_pb2, queues_pb2, calls_pb2, system_pb2, triggers_pb2):
        for name, mine in module.DESCRIPTOR.services_by_name.items():
            theirs = pool.FindServiceByName(f"naru.v1.{name}")
            equal([m.name for m in theirs.methods], [m.name for m in mine.methods], name)
        for name, mine in module.DESCRIPTOR.message_types_by_name.items():
            theirs = pool.FindMessageTypeByName(f"naru.v1.{name}")
            equal([(f.name, f.number, f.type) for f in theirs.fields], [(f.name, f.number, f.type) for f in mine.fields], name)


def services(naru):
    names = set(ProtoReflectionDescriptorDatabase(naru.channel).get_services())
    want = {f"naru.v1.{s}Service" for s in ("Topic", "Queue", "Group", "Call", "System", "Trigger")}
    holds(want <= names, f"services {sorted(names)}")
    holds("grpc.health.v1.Health" in names, f"no health in {sorted(names)}")


def status(naru):
    s = naru.system.GetStatus(system_pb2.GetStatusRequest(), timeout=10)
    holds(s.ready and not s.problem, f"ready {s.ready}, problem {s.problem}")
    holds(s.version and s.cluster_id, f"version {s.version!r}, cluster {s.cluster_id!r}")
    endpoints = {e.name: e.address for e in s.endpoints}
    holds(naru.target in endpoints["http"], f"endpoints {endpoints}")
    names = [x.name for x in naru.system.ListSettings(system_pb2.ListSettingsRequest(), timeout=10).settings]
    holds("http" in names and names == sorted(set(names), key=names.index), f"settings {names}")
    connections = naru.system.ListConnections(system_pb2.ListConnectionsRequest(), timeout=10)
    holds(connections.counts["http"] >= 1, f"connections {connections}")
    naru.system.GetActivity(system_pb2.GetActivityRequest(), timeout=10)


def unknown_method(naru):
    call = naru.channel.unary_unary("/naru.v1.TopicService/NoSuchMethod")
    fails(grpc.StatusCode.UNIMPLEMENTED, call, b"")
    fails(grpc.StatusCode.UNIMPLEMENTED, naru.channel.unary_unary("/naru.v1.NoService/Get"), b"")


def malformed(naru):
    """Bytes that are no message."""
    call = naru.channel.unary_unary("/naru.v1.TopicService/GetTopic")
    fails((grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.INTERNAL), call, b"\xff\xff\xff")


def run(suite, naru):
    suite.run("server: health", health, naru)
    suite.run("server: reflection lists the services", services, naru)
    suite.run("server: reflection tells the definition", reflection, naru)
    suite.run("server: status, settings, connections, activity", status, naru)
    suite.run("server: a method that is not there", unknown_method, naru)
    suite.run("server: a malformed message", malformed, naru)
