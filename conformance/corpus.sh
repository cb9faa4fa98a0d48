#!/usr/bin/env bash
# Real text through every codec: Debian's package index, one record a stanza, is
# produced by the Java client, each partition with another compression, and read
# by every client. All must see the same bytes, keys, headers and timestamps.
# Usage: corpus.sh BOOTSTRAP OUT JAVA-COMMAND READER-COMMAND…
set -uo pipefail

bootstrap=$1 out=$2 java=$3
shift 2
topic="corpus-$$-$(date +%s)"
passed=0 failed=0
file=$out/corpus.txt

apt-cache dumpavail >"$file" 2>/dev/null
if (($(grep -c '^Package:' "$file") < 1000)); then
  apt-get update -q >/dev/null 2>&1
  apt-cache dumpavail >"$file"
fi
stanzas=$(grep -c '^Package:' "$file")
if $java corpus --file "$file" --topic "$topic" --bootstrap "$bootstrap" >"$out/corpus.want" 2>"$out/corpus.stderr" &&
  (($(awk '{ n += $3 } END { print n }' "$out/corpus.want") == stanzas && stanzas >= 1000)); then
  passed=$((passed + 1))
  echo "ok   $stanzas stanzas, $(stat -c %s "$file") bytes, produced"
else
  failed=$((failed + 1))
  echo "FAIL produce: $(tail -n 3 "$out/corpus.stderr")"
fi
for reader in "$@"; do
  name=$(sed -E 's#.*(conformance.Main|/main.py|/main.js|franz-go).*#\1#; s#conformance.Main#java#; s#/main.py#librdkafka#; s#/main.js#kafkajs#' <<<"$reader")
  start=$SECONDS
  if timeout 120 $reader digest --topic "$topic" --bootstrap "$bootstrap" >"$out/corpus.$name" 2>"$out/corpus.$name.stderr" &&
    [[ -s $out/corpus.want ]] && cmp -s "$out/corpus.want" "$out/corpus.$name"; then
    passed=$((passed + 1))
    echo "ok   read by $name: the same ($((SECONDS - start))s)"
  else
    failed=$((failed + 1))
    echo "FAIL read by $name: $(diff "$out/corpus.want" "$out/corpus.$name" | head -n 4 | tr '\n' ' ') $(tail -n 2 "$out/corpus.$name.stderr")"
  fi
done
echo "corpus: $passed passed, $failed failed"
((failed == 0 && passed > 0))
