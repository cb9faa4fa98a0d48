#!/usr/bin/env bash
# Drives a broker with kcat, Debian's command-line client on librdkafka.
# Usage: suite.sh BOOTSTRAP, with BROKERS in the environment if there are more than one
set -uo pipefail

bootstrap=${1:?bootstrap address}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

# run TITLE FUNCTION [ARG…] counts one check; it fails when the function does.
run() {
  local title=$1
  shift
  topic="kcat-$$-$((passed + failed))-$(date +%s%N)"
  if "$@" >"$work/log" 2>&1; then
    passed=$((passed + 1))
    echo "ok   $title"
  else
    failed=$((failed + 1))
    echo "FAIL $title: $(tail -n 3 "$work/log" | tr '\n' ' ')"
  fi
}

kc() { timeout 40 kcat -b "$bootstrap" "$@"; }

# same FILE FILE compares and shows where they differ.
same() { cmp "$1" "$2"; }

metadata() {
  echo x | kc -P -t "$topic" && kc -L >"$work/all" && kc -L -t "$topic" >"$work/one" &&
    grep -q "^ ${BROKERS:-1} brokers:" "$work/all" && [[ $(grep -c "^  broker [0-9]* at " "$work/all") == "${BROKERS:-1}" ]] && grep -q "topic \"$topic\" with" "$work/all" &&
    grep -q "partition 0, leader" "$work/one" && kc -L -J | grep -q '"controllerid":'
}

lines() {
  for i in $(seq 1 2000); do echo "줄 $i: 나루에 배가 닿았다 $i"; done >"$work/in"
  kc -P -t "$topic" -p 0 -z "$1" <"$work/in" && kc -C -q -t "$topic" -p 0 -o beginning -e >"$work/out" &&
    same "$work/in" "$work/out"
}

idempotent() {
  seq 1 5000 >"$work/in"
  kc -P -t "$topic" -p 0 -X enable.idempotence=true -X batch.num.messages=50 <"$work/in" &&
    kc -C -q -t "$topic" -p 0 -o beginning -e >"$work/out" && same "$work/in" "$work/out"
}

acks() {
  seq 1 100 >"$work/in"
  kc -P -t "$topic" -p 0 -X acks="$1" <"$work/in" && kc -C -q -t "$topic" -p 0 -o beginning -c 100 >"$work/out" &&
    same "$work/in" "$work/out"
}

keys_headers() {
  printf '열쇠|값\nk2|v2\n' | kc -P -t "$topic" -p 0 -K '|' -H 제목=머리글 -H n=1 &&
    kc -C -q -t "$topic" -p 0 -o beginning -e -f '%o %k %s %h\n' >"$work/out" &&
    printf '0 열쇠 값 제목=머리글,n=1\n1 k2 v2 제목=머리글,n=1\n' >"$work/want" && same "$work/want" "$work/out"
}

null_empty() {
  printf 'gone:\n' | kc -P -t "$topic" -p 0 -K : -Z && printf 'here:\n' | kc -P -t "$topic" -p 0 -K : &&
    kc -C -q -t "$topic" -p 0 -o beginning -e -f '%k %S\n' >"$work/out" &&
    printf 'gone -1\nhere 0\n' >"$work/want" && same "$work/want" "$work/out"
}

binary_file() {
  head -c 900000 /dev/urandom >"$work/in"
  kc -P -t "$topic" -p 0 "$work/in" && kc -C -q -t "$topic" -p 0 -o beginning -c 1 -f '%s' >"$work/out" &&
    same "$work/in" "$work/out"
}

too_large() {
  head -c 1049000 /dev/urandom >"$work/in"
  kc -P -t "$topic" -p 0 -X message.max.bytes=4000000 "$work/in" >"$work/out" 2>&1
  grep -qi "too large" "$work/out" || { cat "$work/out"; return 1; }
}

# answer WHAT WANT asks for the offset at a time: -2 earliest, -1 latest, else ms.
answer() {
  local got
  got=$(kc -Q -t "$topic:0:$1") || return 1
  [[ $got == "$topic [0] offset $2" ]] || { echo "at $1: got '$got', want $2"; return 1; }
}

by_time() {
  echo a | kc -P -t "$topic" -p 0 || return 1
  sleep 0.05 # the next record must have a later millisecond
  local t2
  t2=$(date +%s%3N)
  echo b | kc -P -t "$topic" -p 0 || return 1
  answer -2 0 && answer -1 2 && answer 1 0 && answer "$t2" 1 && answer "$((t2 + 600000))" -1 || return 1
  [[ $(kc -C -q -t "$topic" -p 0 -o "s@$t2" -e) == b ]]
}

positions() {
  seq 0 99 | kc -P -t "$topic" -p 0 || return 1
  [[ $(kc -C -q -t "$topic" -p 0 -o 42 -c 1) == 42 ]] && [[ $(kc -C -q -t "$topic" -p 0 -o -3 -e | tr '\n' ' ') == "97 98 99 " ]]
}

group() {
  seq 1 50 | kc -P -t "$topic" || return 1
  kc -q -G "$topic-group" -X auto.offset.reset=earliest -c 50 "$topic" | sort -n >"$work/out"
  seq 1 50 >"$work/want"
  same "$work/want" "$work/out" || return 1
  echo later | kc -P -t "$topic" || return 1
  [[ $(kc -q -G "$topic-group" -X auto.offset.reset=earliest -c 1 "$topic") == later ]]
}

run "metadata, text and JSON" metadata
for codec in none gzip snappy lz4 zstd; do run "2,000 Korean lines, $codec" lines "$codec"; done
run "idempotent producer" idempotent
for n in 0 1 all; do run "acks=$n" acks "$n"; done
run "keys and headers" keys_headers
run "null and empty values" null_empty
run "a binary record of 900 kB" binary_file
run "a record over max.message.bytes is refused" too_large
run "offsets by time" by_time
run "offsets from the middle and the end" positions
run "a group goes on where it was" group

echo "kcat: $passed passed, $failed failed"
((failed == 0 && passed > 0))
