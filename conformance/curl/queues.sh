# Queues, requests and replies.

texts() { json '(.messages // [])|map(.text)|join(" ")'; }
receive() {
  local all='{"maxMessages":10,"wait":"20s"}'
  send POST "/v1/queues/$name/messages:receive" "${1:-$all}"
  good
}
# gather N receives until so many messages came, and leaves all of them as one answer.
gather() {
  local end=$((SECONDS + 30))
  echo '{"messages":[]}' >"$work/gathered"
  while (($(jq '.messages|length' "$work/gathered") < $1)); do
    ((SECONDS < end)) || no "$(jq '.messages|length' "$work/gathered") of $1 messages within 30 s"
    receive '{"maxMessages":10,"wait":"1s"}'
    jq -s '{messages:map(.messages // [])|add}' "$work/gathered" "$work/body" >"$work/more"
    mv "$work/more" "$work/gathered"
  done
  cp "$work/gathered" "$work/body"
}
nothing() {
  send POST "/v1/queues/$name/messages:receive" '{"wait":"0.2s"}'
  same 'messages that should not come' "$(texts)" ''
}

queue_life() {
  queue ',"settings":{"lease":"12s","attemptsMax":3,"lanes":4},"tags":{"팀":"나루"}'
  call GET "/v1/queues/$name"
  good
  same settings "$(json '.settings|[.lease,.attemptsMax,.lanes]|join(" ")')" '12s 3 4'
  same tags "$(json '.tags["팀"]')" 나루
  send PATCH "/v1/queues/$name" '{"settings":{"lease":"40s"}}'
  good
  same 'after the change' "$(json '.settings|[.lease,.attemptsMax]|join(" ")')" '40s 3'
  call GET "/v1/queues?prefix=$name"
  same list "$(json '.queues|map(.queue)|join(" ")')" "$name"
  call DELETE "/v1/queues/$name"
  good
  call GET "/v1/queues/$name"
  refused 404 not_found "$name"
}

queue_round() {
  queue ''
  send POST "/v1/queues/$name/messages" '{"messages":[{"text":"커피 한 잔 ☕","keyText":"손님"},{"bytes":"AP+A"}]}'
  good
  receive
  same messages "$(json '.messages|map(.text // .bytes)|sort|join("|")')" 'AP+A|커피 한 잔 ☕'
  same attempts "$(json '.messages|map(.attempts)|join(" ")')" '1 1'
  local first other
  first=$(json '.messages[0].delivery|@uri') other=$(json '.messages[1].delivery|@uri')
  call POST "/v1/queues/$name/messages/$first:ack"
  good
  call POST "/v1/queues/$name/messages/$other:ack"
  good
  nothing
  call GET "/v1/queues/$name"
  same counts "$(json '.stats|[.sent,.received,.acked]|join(" ")')" '2 2 2'
  call POST "/v1/queues/$name/messages/nonsense:ack"
  [[ $status == 400 || $status == 404 ]] || no "ack of nonsense: status $status"
}

queue_settle() {
  queue ''
  local dead=$name d
  queue ",\"settings\":{\"deadLetter\":\"$dead\",\"lanes\":3}"
  send POST "/v1/queues/$name/messages" '{"messages":[{"text":"again","priority":2},{"text":"hopeless","priority":1},{"text":"longer"}]}'
  good
  receive
  same 'by priority' "$(texts)" 'again hopeless longer'
  d=("$(json '.messages[0].delivery|@uri')" "$(json '.messages[1].delivery|@uri')" "$(json '.messages[2].delivery|@uri')")
  call POST "/v1/queues/$name/messages/${d[0]}:nack"
  good
  call POST "/v1/queues/$name/messages/${d[1]}:reject"
  good
  send POST "/v1/queues/$name/messages/${d[2]}:extend" '{"lease":"60s"}'
  good
  receive
  same 'after nack' "$(json '.messages|map([.text,.attempts])|tojson')" '[["again",2]]'
  send POST "/v1/queues/$name/messages:nack" "{\"deliveries\":[$(json '.messages[0].delivery|tojson')],\"delay\":\"5s\"}"
  good
  same 'outcomes' "$(json '.results|map(has("error"))|tojson')" '[false]'
  nothing
  receive
  same 'after the delay' "$(json '.messages|map([.text,.attempts])|tojson')" '[["again",3]]'
  name=$dead
  receive
  same 'after reject' "$(texts)" hopeless
}

raw_message() {
  queue ''
  call POST "/v1/queues/$name/messages?key=k" -H 'Content-Type: text/plain; charset=utf-8' --data-binary '날것'
  good
  receive
  same message "$(json '.messages[0]|[.keyText,.text,.contentType]|join("|")')" 'k|날것|text/plain; charset=utf-8'
}

queue_long_poll() {
  queue ''
  (sleep 0.5; curl -sS -H 'Content-Type: text/plain' --data-binary awake "$NARU_HTTP/v1/queues/$name/messages") &
  receive '{"wait":"20s"}'
  same message "$(texts)" awake
}

queue_rest() {
  queue ''
  local dead=$name
  queue ",\"settings\":{\"deadLetter\":\"$dead\"}"
  send POST "/v1/queues/$name/messages" '{"messages":[{"text":"a"},{"text":"b"}]}'
  call GET "/v1/queues/$name/messages?maxMessages=5"
  good
  same peek "$(json '.messages|map([.text,(.delivery // "")])|tojson')" '[["a",""],["b",""]]'
  receive
  send POST "/v1/queues/$name/messages:reject" "$(json '{deliveries:(.messages|map(.delivery))}')"
  good
  for _ in $(seq 300); do # what is rejected gets there in its own time
    call GET "/v1/queues/$dead"
    [[ $(json .stats.ready) != 2 ]] || break
    sleep 0.1
  done
  send POST "/v1/queues/$dead/redrives" '{}'
  good
  gather 2
  same 'after the redrive' "$(json '.messages|length')" 2
  call GET "/v1/queues/$dead/redrives"
  same redrives "$(json '.redrives|length')" 1
  call POST "/v1/queues/$name:purge"
  good
  nothing
}

queue_idempotent() {
  queue ''
  local key id
  key=$(unique key)
  send POST "/v1/queues/$name/messages" '{"messages":[{"text":"한 번만"}]}' -H "Idempotency-Key: $key"
  good
  id=$(json '.results[0].id')
  send POST "/v1/queues/$name/messages" '{"messages":[{"text":"한 번만"}]}' -H "Idempotency-Key: $key"
  good
  same 'the second answer' "$(json '.results[0]|[.id,.duplicate]|join(" ")')" "$id true"
  receive
  same messages "$(texts)" '한 번만'
  nothing
}

call_reply() {
  queue ''
  local asked
  curl -sS --max-time 30 -H 'Content-Type: application/json' -d '{"message":{"text":"몇 시?"},"timeout":"20s"}' "$NARU_HTTP/v1/queues/$name:request" >"$work/answer" &
  asked=$!
  receive
  same request "$(texts)" '몇 시?'
  send POST /v1/replies "$(json '.messages[0]|{replyTo,correlationId,message:{text:"세 시"}}')"
  good
  wait $asked
  same answer "$(jq -r .reply.text "$work/answer")" '세 시'
  call GET /v1/reply-channels
  good
  send POST /v1/reply-channels "{\"client\":\"$name\"}"
  good
  [[ $(json .queue) == ?* ]] || no 'no reply channel'
}

call_timeout() {
  queue ''
  send POST "/v1/queues/$name:request" '{"message":{"text":"?"},"timeout":"0.3s"}'
  refused 504 deadline_exceeded
}
