package kinesis

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/front/aws"
)

// world is a service with a clock that tests move.
type world struct {
	t     testing.TB
	b     *broker.Broker
	s     *Server
	h     http.Handler
	dir   string
	store *catalog.Mem

	mu  sync.Mutex
	now time.Time // guarded by mu
}

func newWorld(t testing.TB, limits bool) *world {
	w := &world{t: t, dir: t.TempDir(), store: catalog.NewMem(), now: time.UnixMilli(1_700_000_000_000)}
	w.open(limits)
	t.Cleanup(func() { w.close() })
	return w
}

func (w *world) open(limits bool) {
	var err error
	if w.b, err = broker.Open(broker.Config{Dir: w.dir, Store: w.store, RetentionEvery: -1, Now: w.clock}); err != nil {
		w.t.Fatal(err)
	}
	w.s = NewServer(w.b, Config{Limits: limits, Now: w.clock})
	w.h = aws.NewServer(aws.Config{Services: map[string]aws.Service{Target: w.s}})
}

func (w *world) close() {
	w.s.Stop()
	if err := w.b.Close(); err != nil {
		w.t.Errorf("close the broker: %v", err)
	}
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) add(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func request(action, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "http://localhost:4566/", strings.NewReader(body))
	r.Header.Set("X-Amz-Target", Target+"."+action)
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	return r
}

// call makes a call and returns the status and the document.
func (w *world) call(action, body string) (int, string) {
	rec := httptest.NewRecorder()
	w.h.ServeHTTP(rec, request(action, body))
	return rec.Code, rec.Body.String()
}

// must makes a call that has to succeed.
func (w *world) must(action, body string, out any) {
	w.t.Helper()
	status, doc := w.call(action, body)
	if status != http.StatusOK {
		w.t.Fatalf("%s %s: %d %s", action, clip(body), status, clip(doc))
	}
	if out == nil {
		if doc != "" {
			w.t.Fatalf("%s answered %s", action, doc)
		}
		return
	}
	if err := aws.Unmarshal(&aws.Call{Body: []byte(doc)}, out); err != nil {
		w.t.Fatalf("%s answered %s: %v", action, clip(doc), err)
	}
}

// fails makes a call that has to fail so, with that in the message.
func (w *world) fails(action, body, shape, message string) {
	w.t.Helper()
	status, doc := w.call(action, body)
	var e struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	if err := json.Unmarshal([]byte(doc), &e); err != nil || status == http.StatusOK || e.Type != shape || !strings.Contains(e.Message, message) {
		w.t.Errorf("%s %s: %d %s\nwant %s: %s", action, clip(body), status, clip(doc), shape, message)
	}
}

// iterator returns a new one; more are further members of the call.
func (w *world) iterator(stream string, shard int, kind string, more ...string) string {
	w.t.Helper()
	var out getShardIteratorOut
	extra := ""
	for _, m := range more {
		extra += "," + m
	}
	w.must("GetShardIterator", fmt.Sprintf(`{"StreamName":%q,"ShardId":%q,"ShardIteratorType":%q%s}`, stream, shardID(int32(shard)), kind, extra), &out)
	return out.ShardIterator
}

func (w *world) records(iterator string, limit int) getRecordsOut {
	w.t.Helper()
	var out getRecordsOut
	w.must("GetRecords", fmt.Sprintf(`{"ShardIterator":%q,"Limit":%d}`, iterator, limit), &out)
	return out
}

func (w *world) put(stream, key, data string) putRecordOut {
	w.t.Helper()
	var out putRecordOut
	b, _ := json.Marshal(struct {
		StreamName, PartitionKey string
		Data                     []byte
	}{stream, key, []byte(data)})
	w.must("PutRecord", string(b), &out)
	return out
}

// message is one of an event stream; see the Amazon Event Stream Specification.
type message struct {
	headers map[string]string
	doc     string
}

func readMessage(r io.Reader) (m message, err error) {
	var head [12]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return m, err
	}
	total, headers := binary.BigEndian.Uint32(head[:]), binary.BigEndian.Uint32(head[4:])
	body := make([]byte, total-12)
	if _, err := io.ReadFull(r, body); err != nil {
		return m, err
	}
	m.headers = make(map[string]string)
	for h := body[:headers]; len(h) > 0; {
		name := string(h[1 : 1+h[0]])
		h = h[1+len(name)+1:] // the type is 7, text
		n := int(binary.BigEndian.Uint16(h))
		m.headers[name] = string(h[2 : 2+n])
		h = h[2+n:]
	}
	m.doc = string(body[headers : len(body)-4])
	return m, nil
}
