# Named checks with a closing count, and small tools that the checks share.
# A check is a function; it runs in a subshell and fails by `no WHY`.

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0 serial=0
only=${1:-}

check() { # TITLE COMMAND…
  local title=$1 why
  shift
  [[ $title == *"$only"* ]] || return 0
  serial=$((serial + 1))
  if (set -u; "$@") >"$work/why" 2>&1; then
    passed=$((passed + 1))
    echo "ok   $title"
  else
    failed=$((failed + 1))
    why=$(tail -n 3 "$work/why" | tr '\n' ' ' | cut -c1-500)
    echo "FAIL $title: ${why:-status $?}"
  fi
}

finish() { # NAME
  echo "$1: $passed passed, $failed failed"
  ((failed == 0 && passed > 0))
}

no() { echo "$*" >&2; exit 1; }
same() { [[ $2 == "$3" ]] || no "$1: got '$2', want '$3'"; }
like() { [[ $2 == *"$3"* ]] || no "$1: got '$2', want it to have '$3'"; }
unique() { echo "$1-sh-$$-$serial-$RANDOM$RANDOM"; }

# awhile COMMAND… waits until a command says yes, but not longer than 30 seconds.
awhile() {
  local end=$((SECONDS + 30))
  until "$@" || ((SECONDS >= end)); do sleep 0.05; done
}
hang_up() { kill "$1" && wait "$1"; } 2>/dev/null

# call METHOD PATH [curl's arguments…] leaves status, body and the header fields.
call() {
  local method=$1 path=$2
  shift 2
  status=$(curl -sS --max-time 60 -X "$method" -D "$work/head" -o "$work/body" -w '%{http_code}' "$@" "$NARU_HTTP$path") || no "curl $method $path failed"
  body=$(tr -d '\0' <"$work/body")
}
header() { tr -d '\r' <"$work/head" | sed -n "s/^$1: *//Ip" | head -n 1; }
json() { jq -r "$1" "$work/body"; }

# send METHOD PATH JSON [curl's arguments…]
send() { call "$1" "$2" -H 'Content-Type: application/json' --data-binary "$3" "${@:4}"; }

# good wants the call before it to have been answered.
good() { [[ $status == 200 ]] || no "status $status: $body"; }

# refused STATUS CODE [PART OF THE MESSAGE] wants an error in the one shape.
refused() {
  same "status ($body)" "$status" "$1"
  same 'content type of an error' "$(header content-type)" application/json
  same "code ($body)" "$(json .code)" "$2"
  like message "$(json .message)" "${3:-}"
  same 'keys of an error' "$(json 'keys_unsorted | join(" ")')" 'code message details'
}

topic() {
  name=$(unique t)
  send POST /v1/topics "{\"topic\":\"$name\",\"partitions\":${1:-1}}"
  good
}
queue() {
  name=$(unique q)
  send POST /v1/queues "{\"queue\":\"$name\"$1}"
  good
}
