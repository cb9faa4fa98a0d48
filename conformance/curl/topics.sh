# Topics, records, groups, the server.

topic_life() {
  name=$(unique t)
  send POST /v1/topics "{\"topic\":\"$name\",\"partitions\":2,\"settings\":{\"retention.ms\":\"60000\"}}"
  good
  same 'content type' "$(header content-type)" application/json
  same made "$(json '[.topic,.partitionCount]|join(" ")')" "$name 2"
  call GET "/v1/topics/$name"
  good
  same partitions "$(json '.partitions|map(.partition // 0)|join(" ")')" '0 1'
  same retention.ms "$(json '.settings[]|select(.name=="retention.ms")|.value')" 60000
  call GET "/v1/topics?prefix=$name"
  same list "$(json '.topics|map(.topic)|join(" ")')" "$name"
  send PATCH "/v1/topics/$name" '{"partitions":3,"reset":["retention.ms"]}'
  good
  same 'after the change' "$(json '.partitionCount')" 3
  call DELETE "/v1/topics/$name"
  good
  same 'the answer of a deletion' "$(jq -c . "$work/body")" '{}'
  call GET "/v1/topics/$name"
  refused 404 not_found "$name"
}

topic_pages() {
  local prefix i got='' token=''
  prefix=$(unique page)
  for i in 1 2 3 4 5; do send POST /v1/topics "{\"topic\":\"$prefix-$i\"}"; done
  for i in 1 2 3; do
    call GET "/v1/topics?prefix=$prefix&pageSize=2&pageToken=$token"
    good
    got+=$(json '.topics|map(.topic[-1:])|join("")')
    token=$(json '.nextPageToken // "" | @uri')
  done
  same pages "$got$token" 12345
}

records() {
  topic
  send POST "/v1/topics/$name/records" '{"records":[
    {"keyText":"열쇠","text":"나루: 배가 닿는 곳 🚢","headers":[{"name":"이름","text":"값"}],"contentType":"text/plain"},
    {"bytes":"AP+A/w=="}, {}, {"text":""}]}'
  good
  same results "$(json '.results|map(.offset // "0")|join(" ")')" '0 1 2 3'
  call GET "/v1/topics/$name/records"
  good
  same text "$(json '.records[0]|[.keyText,.text,.contentType]|join("|")')" '열쇠|나루: 배가 닿는 곳 🚢|text/plain'
  same header "$(json '.records[0].headers[]|select(.name=="이름")|.text')" 값
  same bytes "$(json '.records[1].bytes')" AP+A/w==
  same null "$(json '.records[2]|has("text") or has("bytes") or has("keyText")')" false
  same empty "$(json '.records[3].text')" ''
  same end "$(json .end)" true
}

raw_records() {
  topic
  call POST "/v1/topics/$name/records?key=%EC%97%B4%EC%87%A0" -H 'Content-Type: text/plain; charset=utf-8' --data-binary '날것 그대로'
  good
  printf '\000\377\200' >"$work/raw"
  call POST "/v1/topics/$name/records" -H 'Content-Type: application/octet-stream' --data-binary "@$work/raw"
  good
  call POST "/v1/topics/$name/records" -H 'Content-Type: text/csv' --data-binary 'a,b'
  good
  call GET "/v1/topics/$name/records"
  same text "$(json '.records[0]|[.keyText,.text,.contentType]|join("|")')" '열쇠|날것 그대로|text/plain; charset=utf-8'
  same bytes "$(json '.records[1]|[.bytes,.contentType]|join("|")')" 'AP+A|application/octet-stream'
  same csv "$(json '.records[2]|[.text,.contentType]|join("|")')" 'a,b|text/csv'
}

raw_parameters() {
  topic 3
  call POST "/v1/topics/$name/records?partition=2" -H 'Content-Type: text/plain' --data-binary ''
  good
  same partition "$(json '.results[0].partition')" 2
  call POST "/v1/topics/$name/records?partition=9" -H 'Content-Type: text/plain' --data-binary x
  refused 404 not_found partition
  call POST "/v1/topics/$name/records?colour=red" -H 'Content-Type: text/plain' --data-binary x
  refused 400 invalid_argument colour
  call GET "/v1/topics/$name/records"
  same 'an empty value' "$(json '.records|map(.text)|tojson')" '[""]'
}

positions() {
  topic
  send POST "/v1/topics/$name/records" "$(jq -nc '{records:[range(10)|{text:tostring,keyText:(if .%2==1 then "odd" else "even" end)}]}')"
  good
  texts() {
    call GET "/v1/topics/$name/records$1"
    good
    same "$1" "$(json '(.records // [])|map(.text)|join("")')" "$2"
  }
  texts '' 0123456789
  texts '?from=7' 789
  texts '?from=latest' ''
  texts '?from=-10m' 0123456789
  texts '?from=2100-01-01T00:00:00Z' ''
  texts '?partitions=0&maxRecords=3' 012
  texts '?filter=key%3Dodd' 13579
  texts '?max_records=4' 0123
  texts "?cursor=$(json '.cursor|@uri')" 456789
}

long_read() {
  topic
  (sleep 0.5; curl -sS -H 'Content-Type: text/plain' --data-binary awake "$NARU_HTTP/v1/topics/$name/records") &
  call GET "/v1/topics/$name/records?wait=20s"
  good
  same text "$(json '.records[0].text')" awake
}

escaped() {
  name="$(unique t)_a.b"
  send POST /v1/topics "{\"topic\":\"$name\"}"
  good
  call GET "/v1/topics/${name//./%2E}"
  good
  same name "$(json .topic)" "$name"
  status=$(curl -sS --max-time 10 -I -o "$work/head" -w '%{http_code}' "$NARU_HTTP/v1/topics/$name")
  same 'status of HEAD' "$status" 200
}

idempotent() {
  topic 4
  local first key
  key=$(unique key)
  send POST "/v1/topics/$name/records" '{"records":[{"text":"한 번"},{"text":"만"}]}' -H "Idempotency-Key: $key"
  good
  first=$(json '.results|map([.partition,.offset])|tojson')
  same 'duplicate, first' "$(json '.results|map(.duplicate // false)|unique|join(" ")')" false
  send POST "/v1/topics/$name/records" '{"records":[{"text":"한 번"},{"text":"만"}]}' -H "Idempotency-Key: $key"
  good
  same 'where they are' "$(json '.results|map([.partition,.offset])|tojson')" "$first"
  same 'duplicate, again' "$(json '.results|map(.duplicate)|unique|join(" ")')" true
  call GET "/v1/topics/$name/records"
  same records "$(json '.records|map(.text)|join(" ")')" '한 번 만'
}

idempotent_other() {
  topic
  local key
  key=$(unique key)
  call POST "/v1/topics/$name/records" -H "Idempotency-Key: $key" -H 'Content-Type: text/plain' --data-binary one
  good
  call POST "/v1/topics/$name/records" -H "Idempotency-Key: $key" -H 'Content-Type: text/plain' --data-binary two
  [[ $status == 4?? ]] || no "status $status: $body"
  call GET "/v1/topics/$name/records"
  same records "$(json '.records|map(.text)|join(" ")')" one
  call POST "/v1/topics/$name/records" -H 'Idempotency-Key;' -H 'Content-Type: text/plain' --data-binary empty
  refused 400 invalid_argument Idempotency-Key
  call POST "/v1/topics/$name/records" -H "Idempotency-Key: $(printf 'x%.0s' {1..2000})" -H 'Content-Type: text/plain' --data-binary long
  [[ $status == 4?? ]] || no "a key of 2,000 characters: status $status: $body"
}

trim() {
  topic
  send POST "/v1/topics/$name/records" '{"records":[{"text":"a"},{"text":"b"},{"text":"c"}]}'
  send POST "/v1/topics/$name:trim" '{"before":2}'
  good
  same 'log start' "$(json .logStart)" 2
  call GET "/v1/topics/$name/records"
  same left "$(json '.records|map(.text)|join("")')" c
}

groups() {
  call GET /v1/groups
  good
  call GET /v1/groups/no-such
  refused 404 not_found no-such
  call DELETE /v1/groups/no-such
  refused 404 not_found no-such
  topic
  send POST "/v1/topics/$name/records" '{"records":[{"text":"a"},{"text":"b"}]}'
  local group
  group=$(unique g)
  send POST "/v1/groups/$group:reset" "{\"topic\":\"$name\",\"to\":\"latest\"}"
  good
  same 'committed offset' "$(json '.offsets[0].committed')" 2
  call GET "/v1/groups/$group"
  good
  same 'the group' "$(json '.offsets[0]|[.topic,.committed,.end,(.lag // "0")]|join(" ")')" "$name 2 2 0"
  call DELETE "/v1/groups/$group"
  good
}

system() {
  call GET /v1/status
  good
  same ready "$(json .ready)" true
  like http "$(json '.endpoints[]|select(.name=="http")|.address')" "${NARU_HTTP#http://}"
  call GET /v1/settings
  good
  same 'the flag --http' "$(json '.settings[]|select(.name=="http")|.overridden')" true
  call GET /v1/connections
  good
  call GET /v1/activity
  good
}
