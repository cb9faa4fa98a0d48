package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// patience is how long a test waits for what has to happen.
const patience = 20 * time.Second

// process is a command that runs beside the test.
type process struct {
	t      *testing.T
	cancel context.CancelFunc
	code   chan exitCode
	out    *watched
	err    *watched
}

// watched is a buffer that a test can wait on.
type watched struct {
	mu  sync.Mutex
	buf bytes.Buffer
	new chan struct{}
}

func (w *watched) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case w.new <- struct{}{}:
	default:
	}
	return w.buf.Write(b)
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.String()
}

func (w *watched) waitFor(t *testing.T, text string) {
	t.Helper()
	deadline := time.After(patience)
	for !strings.Contains(w.String(), text) {
		select {
		case <-w.new:
		case <-deadline:
			t.Fatalf("no %q in %q", text, w.String())
		}
	}
}

func begin(t *testing.T, server string, in io.Reader, args ...string) *process {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &process{t: t, cancel: cancel, code: make(chan exitCode, 1),
		out: &watched{new: make(chan struct{}, 1)}, err: &watched{new: make(chan struct{}, 1)}}
	a := &app{in: in, out: p.out, err: p.err, env: func(name string) (string, bool) { return server, name == "NARU_SERVER" }}
	go func() { p.code <- a.run(ctx, args) }()
	t.Cleanup(cancel)
	return p
}

func (p *process) wait() exitCode {
	p.t.Helper()
	select {
	case code := <-p.code:
		return code
	case <-time.After(patience):
		p.t.Fatalf("still running; out %q, err %q", p.out, p.err)
		return -1
	}
}

func brokerAddr(t *testing.T) string { return newBroker(t, nil).Endpoints()[0].Addr }

func TestFollow(t *testing.T) {
	addr := brokerAddr(t)
	sh := &shell{server: addr, stdin: "one\n"}
	sh.run("produce t")
	p := begin(t, addr, nil, "consume", "t", "--follow")
	p.out.waitFor(t, "one\n")
	sh.stdin = "two\n"
	sh.run("produce t")
	p.out.waitFor(t, "one\ntwo\n")
	p.cancel()
	if code := p.wait(); code != exitOK {
		t.Errorf("exit %d after an interrupt, want 0: %s", code, p.err)
	}
}

// An active group is not reset: its members would go on from where they are
// and commit over it.
func TestResetRefusesActiveGroup(t *testing.T) {
	addr := brokerAddr(t)
	sh := &shell{server: addr, stdin: "one\n"}
	sh.run("produce t")
	p := begin(t, addr, nil, "consume", "t", "--follow", "--group", "g")
	p.out.waitFor(t, "one\n")
	got := sh.run("group reset g --topic t --to-earliest --execute")
	if !strings.Contains(got, `with 1 member: stop its consumers first`) || !strings.Contains(got, "[exit 1]") {
		t.Errorf("reset of an active group: %s", got)
	}
	if got := sh.run("group describe g"); !strings.Contains(got, "Stable") || !strings.Contains(got, "naru") {
		t.Errorf("describe of an active group: %s", got)
	}
	if got := sh.run("group delete g"); !strings.Contains(got, "has members") {
		t.Errorf("delete of an active group: %s", got)
	}
	p.cancel()
	p.wait()
	if got := sh.run("consume t --group g"); got != "" {
		t.Errorf("what was written out was not committed; again: %q", got)
	}
}

// Two members share a group's work, and both end when it is done.
func TestGroupShares(t *testing.T) {
	addr := brokerAddr(t)
	sh := &shell{server: addr}
	sh.run("topic create t --partitions 4")
	var want []string
	for _, v := range []string{"a", "b", "c", "d"} {
		sh.stdin = v + "\n"
		sh.run("produce t --partition " + string('0'+v[0]-'a'))
		want = append(want, v)
	}
	one := begin(t, addr, nil, "consume", "t", "--group", "g")
	two := begin(t, addr, nil, "consume", "t", "--group", "g")
	if one.wait() != exitOK || two.wait() != exitOK {
		t.Fatalf("errors: %s %s", one.err, two.err)
	}
	got := strings.Fields(one.out.String() + two.out.String())
	seen := map[string]int{}
	for _, v := range got {
		seen[v]++
	}
	for _, v := range want {
		if seen[v] == 0 {
			t.Errorf("%s was not read; one %q, two %q", v, one.out, two.out)
		}
	}
}

// An interrupt in the middle of typing sends what was typed.
func TestProduceInterrupted(t *testing.T) {
	addr := brokerAddr(t)
	r, w := io.Pipe()
	defer w.Close()
	p := begin(t, addr, r, "produce", "t")
	if _, err := io.WriteString(w, "typed\nhalf"); err != nil {
		t.Fatal(err)
	}
	waitForRecord(t, addr)
	p.cancel()
	if code := p.wait(); code != exitInterrupted {
		t.Errorf("exit %d, want %d: %s", code, exitInterrupted, p.err)
	}
	if got := (&shell{server: addr}).run("consume t"); got != "typed\n" {
		t.Errorf("sent %q", got)
	}
}

func waitForRecord(t *testing.T, addr string) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if got := (&shell{server: addr}).run("consume t"); got == "typed\n" {
			return
		}
	}
	t.Fatal("the record did not arrive")
}

func TestProduceGivesUp(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "t"))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	cluster.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		return nil, errors.New("drop the connection"), true
	})
	sh := &shell{server: cluster.ListenAddrs()[0], stdin: "x\n"}
	got := sh.run("produce t --timeout 500ms")
	if !strings.Contains(got, "may or may not have been stored") || !strings.Contains(got, "[exit 1]") {
		t.Errorf("produce without an answer: %s", got)
	}
}

// fakeWithRecord is a broker whose topic t has a record, and a shell for it.
func fakeWithRecord(t *testing.T) (*kfake.Cluster, *shell) {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "t"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	sh := &shell{server: cluster.ListenAddrs()[0], stdin: "x\n"}
	sh.run("produce t")
	return cluster, sh
}

// A damaged partition ends the command; the client alone would retry for ever.
func TestConsumeStorageError(t *testing.T) {
	cluster, sh := fakeWithRecord(t)
	cluster.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		resp := req.ResponseKind().(*kmsg.FetchResponse)
		for _, rt := range req.(*kmsg.FetchRequest).Topics {
			topic := kmsg.NewFetchResponseTopic()
			topic.Topic, topic.TopicID = rt.Topic, rt.TopicID
			for _, rp := range rt.Partitions {
				p := kmsg.NewFetchResponseTopicPartition()
				p.Partition, p.ErrorCode = rp.Partition, kerr.KafkaStorageError.Code
				topic.Partitions = append(topic.Partitions, p)
			}
			resp.Topics = append(resp.Topics, topic)
		}
		return resp, nil, true
	})
	got := sh.run("consume t --timeout 1s")
	if !strings.Contains(got, "storage failed or is damaged") || !strings.Contains(got, "[exit 1]") {
		t.Errorf("consume of a damaged partition: %s", got)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("the pipe is gone") }

func TestConsumeOutputError(t *testing.T) {
	addr := brokerAddr(t)
	(&shell{server: addr, stdin: "x\n"}).run("produce t")
	var errs bytes.Buffer
	a := &app{out: brokenWriter{}, err: &errs, env: func(string) (string, bool) { return addr, true }}
	if code := a.run(context.Background(), []string{"consume", "t"}); code != exitFailed || !strings.Contains(errs.String(), "standard output: the pipe is gone") {
		t.Errorf("exit %d: %s", code, &errs)
	}
}

func TestBench(t *testing.T) {
	addr := brokerAddr(t)
	sh := &shell{server: addr}
	got := sh.run("bench --records 500 --size 100 --duration 1s --rate 100 --clients 2 --json")
	for _, want := range []string{`"test": "produce"`, `"test": "consume"`, `"records": 500`, `"test": "latency"`, `"records": 100`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
	if got := sh.run("topic list"); strings.Contains(got, "naru-bench") {
		t.Errorf("the topic was left behind: %s", got)
	}
	if got := sh.run("bench --clients 1000"); !strings.Contains(got, "want 1 to 256") {
		t.Errorf("no bound: %s", got)
	}
}

func TestCheckCommand(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	sh := &shell{dir: dir}
	if got := sh.run("check $DIR"); !strings.Contains(got, "no such file") || !strings.Contains(got, "[exit 1]") {
		t.Errorf("check of nothing: %s", got)
	}
	s := newBroker(t, fill(dir))
	sh.server = s.Endpoints()[0].Addr
	sh.stdin = "a record to damage\n"
	sh.run("produce t")
	if got := sh.run("check $DIR"); !strings.Contains(got, "in use by another process") || !strings.Contains(got, "[exit 1]") {
		t.Errorf("check of a directory in use: %s", got)
	}
	if err := s.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := sh.run("check $DIR"); !strings.Contains(got, "1 record in") || !strings.Contains(got, "everything is whole") || strings.Contains(got, "[exit") {
		t.Errorf("check of a whole directory: %s", got)
	}
	damage(t, filepath.Join(dir, "journal"), []byte("a record to damage"))
	got := sh.run("check $DIR --json")
	if !strings.Contains(got, `"whole": false`) || !strings.Contains(got, ".seg at byte ") || !strings.Contains(got, "[exit 4]") {
		t.Errorf("check of a damaged directory: %s", got)
	}
}

// damage changes a byte of text, which is in some file of dir.
func damage(t *testing.T, dir string, text []byte) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		name := filepath.Join(dir, f.Name())
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if i := bytes.Index(b, text); i >= 0 {
			b[i] ^= 1
			if err := os.WriteFile(name, b, 0o600); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("%q is in no file", text)
}
