#!/usr/bin/env bash
# Drives a broker with the command-line tools that come with Apache Kafka.
# Usage: tools.sh BOOTSTRAP ARGSFILE   (ARGSFILE: java's options and class path), with BROKERS in the environment if there are more than one
set -uo pipefail

bootstrap=${1:?bootstrap address}
args=${2:?file of java arguments}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0
topic="tools-$$-$(date +%s)"
group="$topic-group"
brokers=${BROKERS:-1}

tool() { timeout 60 java "@$args" "$@"; }
topics() { tool org.apache.kafka.tools.TopicCommand --bootstrap-server "$bootstrap" "$@"; }
configs() { tool kafka.admin.ConfigCommand --bootstrap-server "$bootstrap" "$@"; }
groups() { tool org.apache.kafka.tools.consumer.group.ConsumerGroupCommand --bootstrap-server "$bootstrap" "$@"; }
offsets() { tool org.apache.kafka.tools.GetOffsetShell --bootstrap-server "$bootstrap" --topic "$topic" "$@"; }
produce() { tool org.apache.kafka.tools.ConsoleProducer --bootstrap-server "$bootstrap" --topic "$topic" "$@"; }
consume() { tool org.apache.kafka.tools.consumer.ConsoleConsumer --bootstrap-server "$bootstrap" --topic "$topic" --timeout-ms 20000 "$@"; }

# run TITLE COMMAND… counts one check; its output is shown when it fails.
run() {
  local start=$SECONDS
  if "${@:2}" >"$work/log" 2>&1; then
    passed=$((passed + 1))
    echo "ok   $1 ($((SECONDS - start))s)"
  else
    failed=$((failed + 1))
    echo "FAIL $1: $(grep -v '^\s*at ' "$work/log" | tail -n 6 | tr '\n' ' ' | cut -c1-600)"
  fi
}

# shows PATTERN COMMAND… runs the command and looks for the pattern in what it prints.
shows() {
  local pattern=$1
  shift
  "$@" >"$work/shown" 2>&1
  cat "$work/shown"
  grep -Eq -- "$pattern" "$work/shown"
}

create() { shows "Created topic $topic" topics --create --topic "$topic" --partitions 2 --replication-factor 1 --config retention.ms=3600000; }
list() { shows "^$topic\$" topics --list; }
describe() { shows "PartitionCount: 2.*retention.ms=3600000" topics --describe --topic "$topic"; }
alter() { topics --alter --topic "$topic" --partitions 3 && shows "PartitionCount: 3" topics --describe --topic "$topic"; }
again() { shows "already exists" topics --create --topic "$topic"; }
if_not_exists() { topics --create --if-not-exists --topic "$topic"; }

config_set() { shows "Completed updating" configs --alter --entity-type topics --entity-name "$topic" --add-config retention.bytes=123456; }
config_show() { shows "retention.bytes=123456" configs --describe --entity-type topics --entity-name "$topic"; }
config_delete() {
  configs --alter --entity-type topics --entity-name "$topic" --delete-config retention.bytes &&
    ! shows "retention.bytes=123456" configs --describe --entity-type topics --entity-name "$topic"
}
config_all() { shows "max.message.bytes=" configs --describe --all --entity-type topics --entity-name "$topic"; }
config_broker() { shows "All configs for broker|=" configs --describe --all --entity-type brokers --entity-name "$node"; }

console() {
  printf '열쇠:나루에 배가 닿았다\nk2:둘째 줄\nk3:third\n' >"$work/in"
  produce --reader-property parse.key=true --reader-property key.separator=: <"$work/in" || return 1
  consume --from-beginning --max-messages 3 --formatter-property print.key=true --formatter-property key.separator=: 2>/dev/null | sort >"$work/out"
  sort "$work/in" | diff - "$work/out"
}
sum_offsets() { offsets --time "$1" | awk -F: '{ n += $3 } END { exit n != want }' want="$2"; }
get_offsets() { sum_offsets latest 3 && sum_offsets earliest 0 && shows "$topic:" offsets --time max-timestamp; }

group_read() {
  consume --group "$group" --from-beginning --max-messages 3 >"$work/out" 2>/dev/null
  [[ $(wc -l <"$work/out") == 3 ]]
}
group_list() { shows "^$group\$" groups --list; }
lag() { groups --describe --group "$group" 2>/dev/null | awk -v t="$topic" '$2 == t { n += $6 } END { exit n != want }' want="$1"; }
group_describe() { lag 0 || { groups --describe --group "$group"; return 1; }; }
group_state() { shows "Empty" groups --describe --state --group "$group"; }
reset_earliest() { groups --reset-offsets --to-earliest --group "$group" --topic "$topic" --execute && lag 3; }
reset_latest() { groups --reset-offsets --to-latest --group "$group" --all-topics --execute && lag 0; }
reset_shift() { groups --reset-offsets --shift-by -1 --group "$group" --topic "$topic" --execute && ! lag 0; }
reset_time() { groups --reset-offsets --to-datetime 2020-01-01T00:00:00.000 --group "$group" --topic "$topic" --execute && lag 3; }
offsets_delete() { shows "Successful|$topic" groups --delete-offsets --group "$group" --topic "$topic"; }
group_delete() { shows "successful" groups --delete --group "$group"; }

delete_records() {
  echo "{\"version\":1,\"partitions\":[{\"topic\":\"$topic\",\"partition\":0,\"offset\":-1},{\"topic\":\"$topic\",\"partition\":1,\"offset\":-1},{\"topic\":\"$topic\",\"partition\":2,\"offset\":-1}]}" >"$work/delete.json"
  shows "low_watermark" tool org.apache.kafka.tools.DeleteRecordsCommand --bootstrap-server "$bootstrap" --offset-json-file "$work/delete.json" &&
    sum_offsets earliest 3
}
log_dirs() { shows "\"partition\":\"$topic-0\"" tool org.apache.kafka.tools.LogDirsCommand --bootstrap-server "$bootstrap" --describe --topic-list "$topic"; }
# counted COMMAND… tells whether the command prints as many different lines as there are brokers.
counted() {
  "$@" >"$work/counted" || return 1
  cat "$work/counted"
  [[ $(sort -u "$work/counted" | wc -l) == "$brokers" ]]
}
endpoints() { tool org.apache.kafka.tools.ClusterTool list-endpoints --bootstrap-server "$bootstrap" | sed -n 's/^\([0-9][0-9]*\) .*/\1/p'; }
leaders() { topics --describe --topic "$topic-wide" | sed -n 's/.*Leader: \([0-9][0-9]*\).*/\1/p'; }
spread() { topics --create --topic "$topic-wide" --partitions 24 && counted leaders && topics --delete --topic "$topic-wide"; }
coordinator() { # the tool names the coordinator as HOST:PORT (ID)
  local id
  id=$(groups --describe --state --group "$group" 2>/dev/null | sed -n "s/^$group .*(\([0-9][0-9]*\)).*/\1/p")
  endpoints | grep -qx "$id"
}
api_versions_of_all() { counted versions_of; }
versions_of() { tool org.apache.kafka.tools.BrokerApiVersionsCommand --bootstrap-server "$bootstrap" | sed -n 's/^[^ ]* (id: \([0-9]*\) .*/\1/p'; }
api_versions() { shows "Produce\(0\): [03] to 13" tool org.apache.kafka.tools.BrokerApiVersionsCommand --bootstrap-server "$bootstrap"; }
cluster_id() { shows "Cluster ID: ..." tool org.apache.kafka.tools.ClusterTool cluster-id --bootstrap-server "$bootstrap"; }
producer_perf() {
  shows "20000 records sent" tool org.apache.kafka.tools.ProducerPerformance --topic "$topic" --num-records 20000 --record-size 512 \
    --throughput -1 --producer-props bootstrap.servers="$bootstrap" compression.type=lz4
}
consumer_perf() { shows "^20[0-9]{2}-.*, 20[0-9]{3}," tool org.apache.kafka.tools.ConsumerPerformance --bootstrap-server "$bootstrap" --topic "$topic" --"$messages" 20000 --timeout 20000; }
verifiable() {
  tool org.apache.kafka.tools.VerifiableProducer --bootstrap-server "$bootstrap" --topic "$topic" --max-messages 500 >"$work/shown" 2>&1
  grep -c producer_send_success "$work/shown" | grep -qx 500
}
remove() { topics --delete --topic "$topic" && ! shows "^$topic\$" topics --list; }

messages=messages
tool org.apache.kafka.tools.ConsumerPerformance --help 2>&1 | grep -q -- --num-records && messages=num-records

run "kafka-topics --create" create
run "kafka-topics --list" list
run "kafka-topics --describe" describe
run "kafka-topics --alter --partitions" alter
run "kafka-topics --create, once more" again
run "kafka-topics --create --if-not-exists" if_not_exists
node=$(topics --describe --topic "$topic" 2>/dev/null | sed -n 's/.*Leader: \([0-9]*\).*/\1/p' | head -1)
run "kafka-configs --alter --add-config" config_set
run "kafka-configs --describe" config_show
run "kafka-configs --alter --delete-config" config_delete
run "kafka-configs --describe --all, topic" config_all
run "kafka-configs --describe --all, broker" config_broker
run "kafka-console-producer and -consumer, Korean" console
run "kafka-get-offsets" get_offsets
run "kafka-console-consumer --group" group_read
run "kafka-consumer-groups --list" group_list
run "kafka-consumer-groups --describe" group_describe
run "kafka-consumer-groups --describe --state" group_state
run "kafka-consumer-groups --describe --state names a coordinator that is there" coordinator
run "kafka-consumer-groups --reset-offsets --to-earliest" reset_earliest
run "kafka-consumer-groups --reset-offsets --to-latest" reset_latest
run "kafka-consumer-groups --reset-offsets --shift-by" reset_shift
run "kafka-consumer-groups --reset-offsets --to-datetime" reset_time
run "kafka-consumer-groups --delete-offsets" offsets_delete
run "kafka-consumer-groups --delete" group_delete
run "kafka-delete-records" delete_records
run "kafka-log-dirs" log_dirs
run "kafka-broker-api-versions" api_versions
run "kafka-broker-api-versions asks all brokers" api_versions_of_all
run "kafka-cluster cluster-id" cluster_id
run "kafka-cluster list-endpoints shows all brokers" counted endpoints
run "kafka-topics --describe: all brokers lead partitions" spread
run "kafka-producer-perf-test" producer_perf
run "kafka-consumer-perf-test" consumer_perf
run "kafka-verifiable-producer" verifiable
run "kafka-topics --delete" remove

echo "java-tools: $passed passed, $failed failed"
((failed == 0 && passed > 0))
