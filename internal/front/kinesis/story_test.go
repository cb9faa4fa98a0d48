package kinesis

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
)

// storyteller runs transcripts. In what it is told and in what it tells, <iterator 1>
// is the first iterator that was given out, and <shard 0 record 3> a sequence number.
type storyteller struct {
	*world
	tokens []string
}

var (
	shownToken    = regexp.MustCompile(`<token (\d+)>`)
	shownSequence = regexp.MustCompile(`<shard (\d+) (start|record|before)( (\d+))?>`)
	aToken        = regexp.MustCompile(`"A[A-Za-z0-9+/]{30,}=*"`)
	aSequence     = regexp.MustCompile(`\b[0-9]{56}\b`)
)

// expand puts real tokens and numbers into a call.
func (s *storyteller) expand(text string) string {
	text = shownToken.ReplaceAllStringFunc(text, func(m string) string {
		n, _ := strconv.Atoi(shownToken.FindStringSubmatch(m)[1])
		if n < 1 || n > len(s.tokens) {
			return m // the transcript will show it
		}
		return s.tokens[n-1]
	})
	return shownSequence.ReplaceAllStringFunc(text, func(m string) string {
		f := shownSequence.FindStringSubmatch(m)
		shard, _ := strconv.Atoi(f[1])
		o, _ := strconv.Atoi(f[4])
		t, err := s.b.Topic("s")
		if err != nil {
			s.t.Fatal(err)
		}
		q := firstSequence(&t.Partitions[shard], int32(shard))
		switch f[2] {
		case "record":
			q.index = uint64(2*o + 2)
		case "before":
			q.index = uint64(2*o + 1)
		}
		return q.String()
	})
}

// shorten does the opposite.
func (s *storyteller) shorten(text string) string {
	text = aToken.ReplaceAllStringFunc(text, func(m string) string {
		s.tokens = append(s.tokens, m[1:len(m)-1])
		return fmt.Sprintf(`"<token %d>"`, len(s.tokens))
	})
	return aSequence.ReplaceAllStringFunc(text, func(m string) string {
		q, ok := parseSequence(m)
		switch {
		case !ok:
			return m
		case q.index == 0:
			return fmt.Sprintf("<shard %d start>", q.shard)
		case q.index%2 == 0:
			return fmt.Sprintf("<shard %d record %d>", q.shard, q.at())
		}
		return fmt.Sprintf("<shard %d before %d>", q.shard, q.at())
	})
}

func (s *storyteller) tell(d *datadriven.TestData) string {
	switch d.Cmd {
	case "pass":
		length, err := time.ParseDuration(d.CmdArgs[0].Key)
		if err != nil {
			s.t.Fatal(err)
		}
		s.add(length)
		return "ok"
	case "restart":
		s.close()
		s.open(false)
		return "ok"
	}
	var out []string
	for body := range strings.Lines(d.Input) {
		status, doc := s.call(d.Cmd, s.expand(body))
		if status == http.StatusOK {
			out = append(out, s.pretty(doc))
			continue
		}
		var e struct {
			Type    string `json:"__type"`
			Message string `json:"message"`
		}
		json.Unmarshal([]byte(doc), &e)
		out = append(out, s.shorten(fmt.Sprintf("%d %s: %s", status, e.Type, e.Message)))
	}
	return strings.Join(out, "\n")
}

// pretty shows one member of a list in a line.
func (s *storyteller) pretty(doc string) string {
	if doc == "" {
		return "ok"
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(doc), &members); err != nil {
		return doc
	}
	var b bytes.Buffer
	dec := json.NewDecoder(strings.NewReader(doc))
	dec.Token()
	for dec.More() { // in their order
		name, _ := dec.Token()
		var value json.RawMessage
		dec.Decode(&value)
		var list []json.RawMessage
		if json.Unmarshal(value, &list) == nil && len(list) > 0 {
			fmt.Fprintf(&b, "%s:\n", name)
			for _, x := range list {
				fmt.Fprintf(&b, "  %s\n", x)
			}
			continue
		}
		fmt.Fprintf(&b, "%s: %s\n", name, value)
	}
	return strings.TrimSuffix(s.shorten(b.String()), "\n")
}

func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata/stories", func(t *testing.T, path string) {
		s := &storyteller{world: newWorld(t, false)}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string { return s.tell(d) })
	})
}
