#!/usr/bin/env bash
# grpcurl, which learns the API from the server by reflection. NARU_HTTP is the
# base URL, such as http://127.0.0.1:8080. An argument runs only the checks that
# have it in their title. jq reads the answers.
set -uo pipefail
cd "$(dirname "$0")"
version=v1.9.4
program=$PWD/out/bin/grpcurl-$version
if [[ ! -x $program ]]; then
  # Outside of any module: its dependencies are its own.
  (cd / && GOFLAGS=-mod=mod GOBIN=${program%/*} go install "github.com/fullstorydev/grpcurl/cmd/grpcurl@$version") >&2 &&
    mv "${program%-*}" "$program"
fi
at=${NARU_HTTP#http://} at=${at%/}
source ../curl/harness.sh

# ask METHOD [JSON [grpcurl's arguments…]] leaves status and body.
ask() {
  status=0
  "$program" -plaintext -max-time 30 -d "${2:-"{}"}" "${@:3}" "$at" "naru.v1.$1" >"$work/body" 2>"$work/err" || status=$?
  body=$(<"$work/body")
}
answered() { ((status == 0)) || no "$(<"$work/err")"; }
# refused CODE [PART OF THE MESSAGE]
refused() {
  ((status != 0)) || no "answered: $body"
  same code "$(sed -n 's/^ *Code: *//p' "$work/err")" "$1"
  like message "$(sed -n 's/^ *Message: *//p' "$work/err")" "${2:-}"
}

lists() {
  local got
  got=$("$program" -plaintext "$at" list) || no "$got"
  for s in Topic Queue Group Call System Trigger; do like services "$got" "naru.v1.${s}Service"; done
  like services "$got" grpc.health.v1.Health
  got=$("$program" -plaintext "$at" list naru.v1.TopicService) || no "$got"
  same methods "$(wc -l <<<"$got")" "$(grep -c '^  rpc ' ../../api/naru/v1/topics.proto)"
}

describes() {
  local got
  got=$("$program" -plaintext "$at" describe naru.v1.QueueService.Consume) || no "$got"
  like Consume "$got" 'rpc Consume ( stream .naru.v1.ConsumeRequest ) returns ( stream .naru.v1.ConsumeResponse );'
  got=$("$program" -plaintext "$at" describe naru.v1.TopicService.Produce) || no "$got"
  like 'its path' "$got" '/v1/topics/{topic}/records'
  got=$("$program" -plaintext "$at" describe naru.v1.NewRecord) || no "$got"
  like NewRecord "$got" 'oneof value'
}

health() {
  local got
  got=$("$program" -plaintext "$at" grpc.health.v1.Health/Check) || no "$got"
  like health "$got" SERVING
}

streamed() { (($(json '.records // []|.[]|.text // .bytes' 2>/dev/null | wc -l) >= $1)); }

topics() {
  local name
  name=$(unique t)
  ask TopicService/CreateTopic "{\"topic\":\"$name\",\"partitions\":1}"
  answered
  ask TopicService/Produce "{\"topic\":\"$name\",\"records\":[{\"text\":\"나루 🚢\",\"keyText\":\"열쇠\"},{\"bytes\":\"AP+A\"}]}"
  answered
  same offsets "$(json '.results|map(.offset // "0")|join(" ")')" '0 1'
  ask TopicService/Read "{\"topic\":\"$name\"}"
  answered
  same records "$(json '.records|map(.text // .bytes)|join(" ")')" '나루 🚢 AP+A'
  : >"$work/body"
  "$program" -plaintext -max-time 60 -d "{\"topic\":\"$name\",\"from\":\"earliest\"}" "$at" naru.v1.TopicService/Subscribe >"$work/body" 2>&1 &
  awhile streamed 2
  hang_up $!
  same 'records of the stream' "$(json '.records // []|.[]|.text // .bytes' | paste -sd' ')" '나루 🚢 AP+A'
  ask TopicService/DeleteTopic "{\"topic\":\"$name\"}"
  answered
}

queues() {
  local name
  name=$(unique q)
  ask QueueService/CreateQueue "{\"queue\":\"$name\",\"settings\":{\"lease\":\"600s\"}}"
  answered
  ask QueueService/Send "{\"queue\":\"$name\",\"messages\":[{\"text\":\"하나\"},{\"text\":\"둘\"}]}"
  answered
  ask QueueService/Receive "{\"queue\":\"$name\",\"maxMessages\":1}"
  answered
  same attempts "$(json '.messages[0].attempts')" 1
  ask QueueService/Ack "{\"queue\":\"$name\",\"delivery\":$(json '.messages[0].delivery|tojson')}"
  answered
  # The stream ends with its requests, and gives back what it had.
  ask QueueService/Consume "{\"queue\":\"$name\",\"credit\":1}"
  ask QueueService/Receive "{\"queue\":\"$name\",\"maxMessages\":5,\"wait\":\"20s\"}"
  answered
  same messages "$(json '.messages|length')" 1
}

errors() {
  ask TopicService/GetTopic '{"topic":"no-such"}'
  refused NotFound no-such
  ask TopicService/CreateTopic '{"topic":"with space"}'
  refused InvalidArgument
  local name
  name=$(unique t)
  ask TopicService/CreateTopic "{\"topic\":\"$name\"}"
  answered
  ask TopicService/CreateTopic "{\"topic\":\"$name\"}"
  refused AlreadyExists "$name"
  ask TopicService/Subscribe '{"topic":"no-such"}'
  refused NotFound no-such
  ask TopicService/Read "{\"topic\":\"$name\",\"wait\":\"30s\"}" -max-time 5
  refused DeadlineExceeded
}

idempotent() {
  local name i
  name=$(unique t)
  for i in 1 2; do
    ask TopicService/Produce "{\"topic\":\"$name\",\"records\":[{\"text\":\"한 번만\"}]}" -rpc-header "Idempotency-Key: $name"
    answered
  done
  same duplicate "$(json '.results[0].duplicate')" true
  ask TopicService/Read "{\"topic\":\"$name\"}"
  same records "$(json '.records|length')" 1
}

check 'reflection: list' lists
check 'reflection: describe' describes
check 'health' health
check 'topics: create, produce, read, subscribe, delete' topics
check 'queues: send, receive, ack, consume' queues
check 'records: Idempotency-Key' idempotent
check 'errors and their codes' errors
finish grpcurl
