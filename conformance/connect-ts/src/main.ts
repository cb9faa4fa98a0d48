import { createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { CallService } from "../gen/naru/v1/calls_pb.js";
import { QueueService } from "../gen/naru/v1/queues_pb.js";
import { SystemService } from "../gen/naru/v1/system_pb.js";
import { TopicService } from "../gen/naru/v1/topics_pb.js";
import { callChecks } from "./calls.js";
import { consumeChecks } from "./consume.js";
import { Suite } from "./harness.js";
import { queueChecks } from "./queues.js";
import { topicChecks } from "./topics.js";

const baseUrl = process.env.NARU_HTTP ?? "";
if (!baseUrl) throw new Error("NARU_HTTP is not set");

export type Naru = ReturnType<typeof clients>;

function clients(transport: Transport) {
  return {
    topics: createClient(TopicService, transport),
    queues: createClient(QueueService, transport),
    calls: createClient(CallService, transport),
    system: createClient(SystemService, transport),
  };
}

const oneWay: Record<string, Transport> = {
  "Connect JSON": createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: false }),
  "Connect JSON, reads by GET": createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: false, useHttpGet: true }),
  "Connect binary": createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: true }),
  "gRPC-Web": createGrpcWebTransport({ baseUrl, httpVersion: "1.1" }),
};
const bothWays: Record<string, Transport> = {
  "Connect over HTTP/2": createConnectTransport({ baseUrl, httpVersion: "2", useBinaryFormat: true }),
  gRPC: createGrpcTransport({ baseUrl }),
};

const suite = new Suite("connect-ts", process.argv[2] ?? "");
for (const [name, transport] of Object.entries({ ...oneWay, ...bothWays })) {
  const naru = clients(transport);
  await topicChecks(suite, name, naru);
  await queueChecks(suite, name, naru);
  await callChecks(suite, name, naru);
}
for (const [name, transport] of Object.entries(bothWays)) await consumeChecks(suite, name, clients(transport));
process.exit(suite.finish());
