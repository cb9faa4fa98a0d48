# Server-Sent Events and WebSocket.

# listen N QUERY [curl's arguments…] leaves the events that came until there were so many, and a moment longer.
listen() {
  : >"$work/events"
  curl -sS -N --max-time 60 -D "$work/head" -H 'Accept: text/event-stream' "${@:3}" "$NARU_HTTP/v1/topics/$name/records$2" >"$work/events" &
  awhile came "$1"
  sleep 0.3
  hang_up $!
}
came() { (($(grep -c '^$' "$work/events") >= $1 && $(grep -c '^data:' "$work/events") >= $1)); }
data() { sed -n 's/^data: *//p' "$work/events" | jq -r .text | paste -sd' '; }
ids() { sed -n 's/^id: *//p' "$work/events"; }

events() {
  topic
  send POST "/v1/topics/$name/records" '{"records":[{"text":"하나"},{"text":"두\n줄"},{"text":"셋"}]}'
  good
  (sleep 0.5; curl -sS -H 'Content-Type: text/plain' --data-binary 넷 "$NARU_HTTP/v1/topics/$name/records") &
  listen 4 '?from=earliest'
  wait
  like 'content type' "$(header content-type)" text/event-stream
  like 'Cache-Control' "$(header cache-control)" no-
  same records "$(data | tr '\n' ' ')" '하나 두 줄 셋 넷 '
  same 'events with an id' "$(ids | wc -l)" 4
  same 'ids that differ' "$(ids | sort -u | wc -l)" 4
  same 'blank lines after data' "$(grep -A1 '^data:' "$work/events" | grep -vc '^data:\|^--')" 4
}

events_resume() {
  topic 2
  send POST "/v1/topics/$name/records" "$(jq -nc '{records:[range(20)|{text:tostring,keyText:"k\(.%5)"}]}')"
  good
  listen 20 '?from=earliest'
  local all id
  all=$(data)
  same records "$(wc -w <<<"$all")" 20
  for at in 1 8 19; do
    id=$(ids | sed -n "${at}p")
    cp "$work/events" "$work/first"
    listen $((20 - at)) '' -H "Last-Event-ID: $id"
    same "each once, resumed after $at" "$( (cut -d' ' -f"1-$at" <<<"$all"; data) | tr ' ' '\n' | sort -n | paste -sd' ')" "$(seq -s' ' 0 19)"
    cp "$work/first" "$work/events"
  done
}

events_errors() {
  call GET /v1/topics/no-such/records -H 'Accept: text/event-stream'
  refused 404 not_found no-such
  topic
  call GET "/v1/topics/$name/records" -H 'Accept: text/event-stream' -H 'Last-Event-ID: nonsense'
  refused 400 invalid_argument
}

# The key and its answer are those of RFC 6455, section 1.3.
shake=(-H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==')

websocket_handshake() {
  queue ''
  : >"$work/head"
  curl -sS -N --http1.1 --max-time 60 -D "$work/head" -o /dev/null "${shake[@]}" "$NARU_HTTP/v1/queues/$name/messages:consume" &
  awhile grep -q $'^\r$' "$work/head"
  hang_up $!
  like status "$(head -n 1 "$work/head")" ' 101 '
  same Sec-WebSocket-Accept "$(header sec-websocket-accept)" s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
}

websocket_refused() {
  queue ''
  call GET "/v1/queues/$name/messages:consume"
  [[ $status == 426 || $status == 400 ]] || no "without an upgrade: status $status: $body"
  call GET "/v1/queues/$name/messages:consume" --http1.1 "${shake[@]}" -H 'Origin: http://evil.example'
  same 'another origin' "$status" 403
}

# frame TEXT sends a masked text frame; its mask is zero, so that it is readable.
frame() {
  local n
  n=$(printf %s "$1" | wc -c)
  if ((n < 126)); then printf '\x81%b' "\\x$(printf %x $((n | 128)))"; else printf '\x81\xfe%b' "$(printf '\\x%x\\x%x' $((n / 256)) $((n % 256)))"; fi >&3
  printf '\0\0\0\0%s' "$1" >&3
}
# answer reads one frame: its text is in body.
answer() {
  local b n
  read -ra b < <(head -c 2 <&3 | od -An -tu1)
  n=$((b[1] & 127))
  if ((n == 126)); then read -ra b < <(head -c 2 <&3 | od -An -tu1) && n=$((b[0] * 256 + b[1])); fi
  head -c "$n" <&3 >"$work/body"
}
open() {
  local line
  exec 3<>"/dev/tcp/${at%:*}/${at##*:}"
  printf 'GET /v1/queues/%s/messages:consume HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n' "$name" "$at" >&3
  while read -r -t 10 line <&3 && [[ $line != $'\r' ]]; do :; done
}

websocket_consume() {
  queue ',"settings":{"lease":"600s"}'
  send POST "/v1/queues/$name/messages" '{"messages":[{"text":"가"},{"text":"나"},{"text":"다"}]}'
  good
  local at=${NARU_HTTP#http://} hand='' settled=0
  open
  frame "{\"queue\":\"$name\",\"credit\":1}"
  while [[ -z $hand ]]; do answer; hand=$(json '(.messages // [])[].delivery'); done
  same 'in hand with a credit of 1' "$(wc -w <<<"$hand")" 1
  frame "{\"ack\":[\"$hand\"]}"
  hand=''
  while [[ -z $hand || $settled == 0 ]]; do
    answer
    hand+=$(json '(.messages // [])[].delivery')
    settled=$((settled + $(json '.settled // []|map(select(has("error")|not))|length')))
  done
  exec 3>&-
  gather 2
  same 'given back when the connection broke' "$(texts | tr ' ' '\n' | wc -l)" 2
}
