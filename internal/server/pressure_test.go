package server

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	client "github.com/rabbitmq/amqp091-go"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/vfs"
)

// blocks remembers what it was told.
type blocks struct{ told []string }

func (b *blocks) Block(reason string) { b.told = append(b.told, reason) }
func (b *blocks) Unblock()            { b.told = append(b.told, "go on") }

// Publishers wait from below the mark on, and go on when there is a good deal more; in between nothing changes.
func TestPressure(t *testing.T) {
	var b blocks
	var free, spare, limit int64
	var problem error
	m := newMetrics("test")
	p := &pressure{
		log: slog.New(slog.DiscardHandler), to: &b, free: func() (int64, error) { return free, problem }, spare: func() (int64, int64) { return spare, limit },
		disk: mark{low: 100, high: 125}, told: m.blocked,
	}
	for _, step := range []struct {
		free, spare, limit int64
		problem            error
		want               string
	}{
		{free: 100, want: ""},
		{free: 99, want: "low on disk"},
		{free: 124, want: ""},
		{free: 0, problem: errors.New("no answer"), want: ""},
		{free: 125, want: "go on"},
		{free: 100, want: ""},
		{free: 100, spare: 100, limit: 1000, want: ""},
		{free: 100, spare: 99, limit: 1000, want: "low on memory"},
		{free: 99, spare: 99, limit: 1000, want: "low on memory & disk"},
		{free: 200, spare: 149, limit: 1000, want: "low on memory"},
		{free: 200, spare: 150, limit: 1000, want: "go on"},
	} {
		free, problem, spare, limit, b.told = step.free, step.problem, step.spare, step.limit, nil
		p.look()
		if got := strings.Join(b.told, ", "); got != step.want {
			t.Errorf("%+v: %q", step, got)
		}
	}
}

// A disk that runs full lets publishers over AMQP wait, and consumers make room.
func TestPublishersWaitForTheDisk(t *testing.T) {
	mem := vfs.NewMem()
	c := testConfig(t)
	c.DataDir, c.AMQPAddr, c.ManagementAddr, c.SegmentBytes = "naru-data", "127.0.0.1:0", "127.0.0.1:0", 1<<20
	s := start(t, c, Options{FS: mem, Store: catalog.NewMem()})
	conn, ch := dialAMQP(t, s.addr("amqp"))
	blocked := conn.NotifyBlocked(make(chan client.Blocking, 4))
	if _, err := ch.QueueDeclare("q", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	publish := func(body string) *client.DeferredConfirmation {
		t.Helper()
		d, err := ch.PublishWithDeferredConfirmWithContext(ctx, "", "q", false, false, client.Publishing{Body: []byte(body)})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	if ok, err := publish("one").WaitContext(ctx); !ok || err != nil {
		t.Fatal(ok, err)
	}

	mem.SetCapacity(mem.Used() + 2<<20 - 1)
	s.amqp.Load().pressure.look()
	if b := await(t, blocked); !b.Active || b.Reason != "low on disk" {
		t.Errorf("%+v", b)
	}
	waits := publish("two")
	_, consuming := dialAMQP(t, s.addr("amqp"))
	list, err := consuming.Consume("q", "", true, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	if d := await(t, list); string(d.Body) != "one" {
		t.Errorf("%s", d.Body)
	}
	if waits.Acked() {
		t.Error("published while the disk was short")
	}
	if code, body := alarms(t, s); code != 503 || !strings.Contains(body, `"resource":"disk"`) {
		t.Errorf("alarms: %d %s", code, body)
	}
	if !slices.Contains(metricLines(t, s), `naru_blocked{resource="disk"} 1`) {
		t.Error("the metric does not tell")
	}

	mem.SetCapacity(mem.Used() + 4<<20)
	s.amqp.Load().pressure.look()
	if b := await(t, blocked); b.Active {
		t.Errorf("%+v", b)
	}
	if code, body := alarms(t, s); code != 200 {
		t.Errorf("alarms: %d %s", code, body)
	}
	if ok, err := waits.WaitContext(ctx); !ok || err != nil {
		t.Error(ok, err)
	}
	if d := await(t, list); string(d.Body) != "two" {
		t.Errorf("%s", d.Body)
	}
}

func alarms(t *testing.T, s *Server) (int, string) {
	t.Helper()
	return get(t, strings.Replace(s.addr("amqp-management"), "://", "://guest:guest@", 1)+"/api/health/checks/alarms")
}

func metricLines(t *testing.T, s *Server) []string {
	t.Helper()
	_, text := get(t, s.addr("http")+"/metrics")
	return strings.Split(text, "\n")
}

func await[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(10 * time.Second):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}
