// The first lines of a program for each protocol and language, with this server's
// addresses in them.

const labels = { kafka: 'Kafka', aws: 'SQS', http: 'HTTP and gRPC' }
const scheme = '//'

// reachable gives the endpoints as a client on the machine of this browser sees them:
// one that listens on all addresses has the name under which the console was found.
export function reachable(endpoints = []) {
  return endpoints.map(({ name, address }) => {
    const [, prefix = `http:${scheme}`, host, port] = /^(\w+:\/\/)?(.*):(\d+)$/.exec(address) ?? []
    if (!port) return { name, at: address, label: labels[name] ?? name, url: address }
    const all = ['', '0.0.0.0', '[::]', '::'].includes(host)
    const at = `${all ? location.hostname : host}:${port}`
    return { name, at, label: labels[name] ?? name, url: name === 'kafka' ? at : prefix + at }
  })
}

export function protocols(endpoints) {
  const of = name => endpoints.find(e => e.name === name)
  const out = []
  if (of('kafka')) out.push({ name: 'Kafka', snippets: list(kafka(of('kafka').at)) })
  if (of('aws')) out.push({ name: 'SQS', snippets: list(sqs(of('aws').url)) })
  if (of('http')) {
    out.push({ name: 'HTTP', snippets: list(http(of('http').url)) })
    out.push({ name: 'gRPC', snippets: list(grpc(of('http').at, of('http').url)) })
  }
  return out
}

const list = snippets => Object.entries(snippets).map(([language, code]) => ({ language, code: code.trim() }))

const kafka = at => ({
  Naru: `
echo hi | naru produce greetings --server ${at}
naru consume greetings --follow --server ${at}`,
  kcat: `
echo hi | kcat -b ${at} -t greetings -P
kcat -b ${at} -t greetings -C -o beginning`,
  Python: `
# pip install confluent-kafka
from confluent_kafka import Producer, Consumer

producer = Producer({"bootstrap.servers": "${at}"})
producer.produce("greetings", b"hi")
producer.flush()

consumer = Consumer({"bootstrap.servers": "${at}", "group.id": "hello",
                     "auto.offset.reset": "earliest"})
consumer.subscribe(["greetings"])
print(consumer.poll(10).value())
consumer.close()`,
  Java: `
// org.apache.kafka:kafka-clients
var settings = Map.<String, Object>of("bootstrap.servers", "${at}");
try (var producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer())) {
    producer.send(new ProducerRecord<>("greetings", "hi")).get();
}

var reading = Map.<String, Object>of("bootstrap.servers", "${at}", "group.id", "hello", "auto.offset.reset", "earliest");
try (var consumer = new KafkaConsumer<>(reading, new StringDeserializer(), new StringDeserializer())) {
    consumer.subscribe(List.of("greetings"));
    consumer.poll(Duration.ofSeconds(10)).forEach(r -> System.out.println(r.value()));
}`,
  Go: `
// go get github.com/twmb/franz-go/pkg/kgo
client, err := kgo.NewClient(kgo.SeedBrokers("${at}"), kgo.AllowAutoTopicCreation(),
	kgo.ConsumeTopics("greetings"), kgo.ConsumerGroup("hello"))
if err != nil {
	log.Fatal(err)
}
defer client.Close()
if err := client.ProduceSync(ctx, &kgo.Record{Topic: "greetings", Value: []byte("hi")}).FirstErr(); err != nil {
	log.Fatal(err)
}
client.PollFetches(ctx).EachRecord(func(r *kgo.Record) { fmt.Println(string(r.Value)) })`,
  JavaScript: `
// npm install kafkajs
const { Kafka } = require('kafkajs')
const kafka = new Kafka({ brokers: ['${at}'] })

const producer = kafka.producer()
await producer.connect()
await producer.send({ topic: 'greetings', messages: [{ value: 'hi' }] })

const consumer = kafka.consumer({ groupId: 'hello' })
await consumer.connect()
await consumer.subscribe({ topic: 'greetings', fromBeginning: true })
await consumer.run({ eachMessage: async ({ message }) => console.log(message.value.toString()) })`,
})

const sqs = url => ({
  'AWS CLI': `
export AWS_DEFAULT_REGION=us-east-1 AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any
sqs() { aws --endpoint-url ${url} sqs "$@"; }
url=$(sqs create-queue --queue-name mails --query QueueUrl --output text)
sqs send-message --queue-url "$url" --message-body hi
sqs receive-message --queue-url "$url" --wait-time-seconds 10`,
  Python: `
# pip install boto3
import boto3

sqs = boto3.client("sqs", endpoint_url="${url}", region_name="us-east-1",
                   aws_access_key_id="any", aws_secret_access_key="any")
url = sqs.create_queue(QueueName="mails")["QueueUrl"]
sqs.send_message(QueueUrl=url, MessageBody="hi")
for m in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10).get("Messages", []):
    print(m["Body"])
    sqs.delete_message(QueueUrl=url, ReceiptHandle=m["ReceiptHandle"])`,
  JavaScript: `
// npm install @aws-sdk/client-sqs
import { SQS } from '@aws-sdk/client-sqs'

const sqs = new SQS({ endpoint: '${url}', region: 'us-east-1', credentials: { accessKeyId: 'any', secretAccessKey: 'any' } })
const { QueueUrl } = await sqs.createQueue({ QueueName: 'mails' })
await sqs.sendMessage({ QueueUrl, MessageBody: 'hi' })
const { Messages = [] } = await sqs.receiveMessage({ QueueUrl, WaitTimeSeconds: 10 })
for (const { Body, ReceiptHandle } of Messages) {
  console.log(Body)
  await sqs.deleteMessage({ QueueUrl, ReceiptHandle })
}`,
  Java: `
// software.amazon.awssdk:sqs
var sqs = SqsClient.builder().endpointOverride(URI.create("${url}")).region(Region.US_EAST_1)
    .credentialsProvider(StaticCredentialsProvider.create(AwsBasicCredentials.create("any", "any"))).build();
var url = sqs.createQueue(b -> b.queueName("mails")).queueUrl();
sqs.sendMessage(b -> b.queueUrl(url).messageBody("hi"));
for (var m : sqs.receiveMessage(b -> b.queueUrl(url).waitTimeSeconds(10)).messages()) {
    System.out.println(m.body());
    sqs.deleteMessage(b -> b.queueUrl(url).receiptHandle(m.receiptHandle()));
}`,
})

const http = url => ({
  curl: `
curl -H 'Content-Type: text/plain' -d hi '${url}/v1/topics/greetings/records?key=k1'
curl '${url}/v1/topics/greetings/records?from=earliest'
curl -N -H 'Accept: text/event-stream' '${url}/v1/topics/greetings/records?from=earliest'

curl -H 'Content-Type: application/json' -d '{"queue": "mails"}' ${url}/v1/queues
curl -H 'Content-Type: text/plain' -d hi ${url}/v1/queues/mails/messages
curl -H 'Content-Type: application/json' -d '{"maxMessages": 1, "wait": "10s"}' '${url}/v1/queues/mails/messages:receive'`,
  Python: `
import json, urllib.request

def call(path, body):
    request = urllib.request.Request("${url}" + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    return json.load(urllib.request.urlopen(request))

call("/v1/topics/greetings/records", {"records": [{"keyText": "k1", "text": "hi"}]})
print(json.load(urllib.request.urlopen("${url}/v1/topics/greetings/records?from=earliest")))`,
  JavaScript: `
await fetch('${url}/v1/topics/greetings/records', {
  method: 'POST',
  headers: { 'Content-Type': 'application/json', 'Idempotency-Key': crypto.randomUUID() },
  body: JSON.stringify({ records: [{ keyText: 'k1', text: 'hi' }] }),
})

// In a browser that was served by this server:
const events = new EventSource('/v1/topics/greetings/records?from=earliest')
events.onmessage = e => console.log(JSON.parse(e.data).text)`,
})

const grpc = (at, url) => ({
  grpcurl: `
grpcurl -plaintext ${at} list
grpcurl -plaintext -d '{"topic": "greetings", "records": [{"text": "hi"}]}' ${at} naru.v1.TopicService/Produce
grpcurl -plaintext -d '{"topic": "greetings", "from": "earliest"}' ${at} naru.v1.TopicService/Subscribe`,
  Go: `
// Reads the definition that the module brings along: github.com/narumq/naru/api/naru/v1
client := naruv1connect.NewTopicServiceClient(http.DefaultClient, "${url}")
answer, err := client.Produce(ctx, &naruv1.ProduceRequest{
	Topic:   "greetings",
	Records: []*naruv1.NewRecord{{Value: &naruv1.NewRecord_Text{Text: "hi"}}},
})`,
  Python: `
# pip install grpcio grpcio-tools; generate from api/naru/v1/*.proto
import grpc
from naru.v1 import topics_pb2, topics_pb2_grpc, records_pb2

topics = topics_pb2_grpc.TopicServiceStub(grpc.insecure_channel("${at}"))
topics.Produce(topics_pb2.ProduceRequest(topic="greetings", records=[records_pb2.NewRecord(text="hi")]))
for answer in topics.Subscribe(topics_pb2.SubscribeRequest(topic="greetings", **{"from": "earliest"})):
    for record in answer.records:
        print(record.text)`,
})
