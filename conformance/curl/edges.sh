# What is refused, and how; versions; the definition.

unsupported() {
  topic
  call POST "/v1/topics/$name/records" -H 'Content-Type: application/xml' --data-binary '<a/>'
  refused 415 invalid_argument application/xml
  call POST /v1/topics -H 'Content-Type: text/plain' --data-binary 'not a record'
  refused 415 invalid_argument text/plain
  call POST /v1/topics -d '{"topic":"x"}'
  refused 415 invalid_argument
  call POST "/v1/topics/$name/records" -H 'Content-Type: application/octet-stream' -H 'Content-Encoding: gzip' --data-binary x
  refused 415 invalid_argument gzip
  call POST /v1/topics -H 'Content-Type:' --data-binary '{"topic":"x"}'
  refused 415 invalid_argument
}

malformed() {
  send POST /v1/topics $'{\n  "topic": "x",\n  "partitions": oops\n}'
  refused 400 invalid_argument '(line 3:17)'
  send POST /v1/topics '{"topic":"x"'
  refused 400 invalid_argument
  send POST /v1/topics '{"topic":"x","colour":"red"}'
  refused 400 invalid_argument '"colour"'
  send POST /v1/topics '[]'
  refused 400 invalid_argument
  send POST /v1/topics $'{"topic":"\xff\xfe"}'
  refused 400 invalid_argument
  send POST /v1/topics "$(printf '[%.0s' {1..100000})"
  refused 400 invalid_argument
}

invalid_fields() {
  topic
  send POST "/v1/topics/$name/records" '{"records":[{"bytes":"not base64!"}]}'
  refused 400 invalid_argument bytes
  send POST "/v1/topics/$name/records" '{"records":[{"text":1}]}'
  refused 400 invalid_argument
  send POST "/v1/topics/$name/records" '{"records":[{"text":"a","bytes":"AA=="}]}'
  refused 400 invalid_argument
  send POST "/v1/topics/$name/records" '{"records":[]}'
  refused 400 invalid_argument
  send POST /v1/topics '{"topic":"x","partitions":99999999999}'
  refused 400 invalid_argument partitions
  call GET "/v1/topics/$name/records?wait=soon"
  refused 400 invalid_argument wait
  call GET "/v1/topics/$name/records?maxRecords=many"
  refused 400 invalid_argument maxRecords
  call GET "/v1/topics/$name/records?colour=red"
  refused 400 invalid_argument colour
  call GET "/v1/topics?pageToken=%00%ff"
  refused 400 invalid_argument
}

not_found() {
  call GET /v1/topics/no-such
  refused 404 not_found no-such
  call GET /v1/no-such-path
  refused 404 not_found
  call GET /v1/topics/a/b/c/d/e/f/g/h/i/j
  refused 404 not_found
  call POST /v1/topics/a:fly
  refused 404 not_found
  call GET /v1/
  refused 404 not_found
  call GET '/v1/topics/%ff%fe'
  [[ $status == 400 || $status == 404 ]] || no "a name that is not UTF-8: status $status"
  call GET /v2/topics
  same 'status of another version' "$status" 404
}

unclean() {
  for path in /v1/topics//records /v1/topics/a/../b /v1/./topics /v1/topics/; do
    call GET $path --path-as-is
    refused 404 not_found
  done
}

not_allowed() {
  topic
  call PUT "/v1/topics/$name"
  refused 405 unimplemented
  same Allow "$(header allow | tr -d ' ')" DELETE,GET,PATCH
  call GET "/v1/topics/$name:trim"
  refused 405 unimplemented
  same Allow "$(header allow)" POST
}

conflict() {
  topic
  send POST /v1/topics "{\"topic\":\"$name\"}"
  refused 409 already_exists "$name"
}

too_large() {
  topic
  head -c 20000000 /dev/zero >"$work/large"
  call POST "/v1/topics/$name/records" -H 'Content-Type: application/octet-stream' -H 'Expect:' --data-binary "@$work/large"
  refused 413 resource_exhausted
  call POST "/v1/topics/$name/records" -H 'Content-Type: application/octet-stream' -H 'Expect:' -H 'Transfer-Encoding: chunked' --data-binary "@$work/large"
  refused 413 resource_exhausted
  send POST /v1/topics "{\"topic\":\"$name-s\",\"settings\":{\"max.message.bytes\":\"1000\"}}"
  good
  head -c 5000 /dev/urandom >"$work/large"
  call POST "/v1/topics/$name-s/records" -H 'Content-Type: application/octet-stream' --data-binary "@$work/large"
  refused 413 resource_exhausted
}

accept() {
  local type
  for type in application/vnd.naru.v1+json 'application/json' '*/*' 'text/html, application/json;q=0.9'; do
    call GET /v1/topics -H "Accept: $type"
    same "status of $type" "$status" 200
  done
  for type in application/vnd.naru.v2+json text/html application/xml 'application/json;q=0'; do
    call GET /v1/topics -H "Accept: $type"
    refused 406 invalid_argument "$type"
  done
  send POST /v1/topics '{"topic":"not-made"}' -H 'Accept: application/vnd.naru.v2+json'
  refused 406 invalid_argument
  call GET /v1/topics/not-made
  refused 404 not_found
  topic
  call POST "/v1/topics/$name/records" -H 'Content-Type: application/vnd.naru.v1+json' --data-binary '{"records":[{"text":"v1"}]}'
  good
}

# A page of another origin must not reach a server without authentication.
origins() {
  call GET /v1/topics -H 'Origin: http://evil.example'
  refused 403 permission_denied
  call GET /v1/topics -H 'Sec-Fetch-Site: cross-site'
  refused 403 permission_denied
  call GET /v1/topics -H 'Host: evil.example'
  refused 403 permission_denied
  call GET /v1/topics -H "Origin: $NARU_HTTP"
  good
}

definition() {
  call GET /openapi.yaml
  good
  like 'content type' "$(header content-type)" yaml
  cmp "$work/body" ../../api/naru/v1/openapi.yaml || no 'it differs'
}

connect_paths() {
  topic
  send POST /naru.v1.TopicService/Produce "{\"topic\":\"$name\",\"records\":[{\"text\":\"같은 것\"}]}" -H 'Connect-Protocol-Version: 1'
  good
  send POST /naru.v1.TopicService/Read "{\"topic\":\"$name\"}"
  good
  same text "$(json '.records[0].text')" '같은 것'
  call GET "/naru.v1.TopicService/GetTopic?connect=v1&encoding=json&message=$(jq -rn --arg t "$name" '{topic:$t}|tojson|@uri')"
  good
  same topic "$(json .topic)" "$name"
  send POST /naru.v1.TopicService/GetTopic '{"topic":"no-such"}'
  same status "$status" 404
  same code "$(json .code)" not_found
}
