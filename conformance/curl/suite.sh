#!/usr/bin/env bash
# The REST paths by plain curl; jq reads the answers. NARU_HTTP is the base URL,
# such as http://127.0.0.1:8080. An argument runs only the checks that have it in
# their title.
set -uo pipefail
cd "$(dirname "$0")"
NARU_HTTP=${NARU_HTTP%/}
# shellcheck source=harness.sh
source ./harness.sh
source ./topics.sh
source ./queues.sh
source ./edges.sh
source ./streams.sh

check 'topics: create, describe, list, change, delete' topic_life
check 'topics: pages of a list' topic_pages
check 'records: Korean, base64, null, headers' records
check 'records: raw text and bytes, with their content type' raw_records
check 'records: raw, empty and by parameters' raw_parameters
check 'records: where a read begins, filters, cursor' positions
check 'records: a read that waits' long_read
check 'records: HEAD, and a name that is escaped' escaped
check 'records: Idempotency-Key twice' idempotent
check 'records: Idempotency-Key with another body' idempotent_other
check 'topics: trim' trim
check 'queues: create, describe, list, change, delete' queue_life
check 'queues: send, receive, ack by path' queue_round
check 'queues: nack, reject, extend by path; several at once' queue_settle
check 'queues: raw message' raw_message
check 'queues: a receive that waits' queue_long_poll
check 'queues: peek, purge, redrive' queue_rest
check 'queues: Idempotency-Key' queue_idempotent
check 'calls: request and reply' call_reply
check 'calls: a request that nobody answers is 504' call_timeout
check 'groups: unknown, reset, delete' groups
check 'system: status, settings, connections, activity' system
check 'errors: 415' unsupported
check 'errors: 400 with the place of the mistake' malformed
check 'errors: 400 for what a field cannot be' invalid_fields
check 'errors: 404' not_found
check 'errors: paths that are not clean' unclean
check 'errors: 405 with Allow' not_allowed
check 'errors: 409' conflict
check 'errors: 413' too_large
check 'versions: Accept' accept
check 'errors: other origins' origins
check 'definition: openapi.yaml is what is in the tree' definition
check 'Connect: the same by its own paths' connect_paths
check 'events: from the start, with ids' events
check 'events: Last-Event-ID' events_resume
check 'events: errors' events_errors
check 'WebSocket: handshake' websocket_handshake
check 'WebSocket: what is no handshake' websocket_refused
check 'WebSocket: consume, ack, and give back' websocket_consume
finish curl
