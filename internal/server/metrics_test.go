package server

import (
	"context"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/queue"
)

var rewrite = flag.Bool("rewrite", false, "write the tables of docs/operations.md anew")

const operations = "../../docs/operations.md"

func TestMetricsTell(t *testing.T) {
	s := start(t, testConfig(t), Options{Version: "v1"})
	cl := kafkaClient(t, s.addr("kafka"))
	for range 3 {
		if err := produce(t, cl, "orders", "x"); err != nil {
			t.Fatal(err)
		}
	}
	adm := kadm.NewClient(cl)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	offsets := make(kadm.Offsets)
	offsets.Add(kadm.Offset{Topic: "orders", At: 1, LeaderEpoch: -1})
	if err := adm.CommitAllOffsets(ctx, "billing", offsets); err != nil {
		t.Fatal(err)
	}
	if _, err := adm.DescribeTopicConfigs(ctx, "nothing"); err != nil {
		t.Fatal(err)
	}
	consumer := kafkaClient(t, s.addr("kafka"), kgo.ConsumeTopics("orders"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if n := consumer.PollFetches(ctx).NumRecords(); n == 0 {
		t.Fatal("nothing to read")
	}
	_, body := get(t, s.addr("http")+"/metrics")
	for _, want := range []string{
		`naru_topic_records_total{topic="orders"} 3`,
		`naru_group_lag{group="billing",topic="orders"} 2`,
		`naru_groups{state="Empty"} 1`,
		`naru_requests_total{api="Produce",error="0",protocol="kafka"} 3`,
		`naru_requests_total{api="DescribeConfigs",error="3",protocol="kafka"} 1`,
		`naru_request_seconds_count{api="Produce",protocol="kafka"} 3`,
		`naru_build_info{go=`,
		`naru_ready 1`,
		`naru_metrics_unlisted{kind="topic"} 0`,
	} {
		if !strings.Contains(body, "\n"+want) {
			t.Errorf("no %s", want)
		}
	}
	for _, pattern := range []string{
		`naru_connections [1-9]`, `naru_commit_seconds_count{phase="sync"} [1-9]`, `naru_commit_appends_sum [3-9]`,
		`naru_append_seconds_count [3-9]`, `naru_append_seconds_sum 0\.0*[1-9]`, `naru_read_bytes_total{source="memory"} [1-9]`,
		`naru_committed_bytes_total [1-9]`, `naru_disk_free_bytes [1-9]`, `naru_disk_used_bytes [1-9]`,
		`naru_cache_bytes [1-9]`, `naru_start_seconds 0\.`, `naru_topic_bytes{topic="orders"} [1-9]`,
		`naru_request_bytes_total{api="Produce",direction="in",protocol="kafka"} [1-9]`, `process_resident_memory_bytes [1-9]`,
	} {
		if !regexp.MustCompile(`(?m)^` + pattern).MatchString(body) {
			t.Errorf("nothing like %s", pattern)
		}
	}
}

// However many topics there are, the series stay within their bound, and it is
// said how many are left out.
func TestMetricsAreBounded(t *testing.T) {
	c := testConfig(t)
	c.TopicMetricsMax = 3
	s := start(t, c, Options{})
	adm := kadm.NewClient(kafkaClient(t, s.addr("kafka"), kgo.MetadataMinAge(10*time.Millisecond)))
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var names []string
	for i := range 10 {
		names = append(names, fmt.Sprintf("t%d", i))
	}
	if _, err := adm.CreateTopics(ctx, 1, -1, nil, names...); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		offsets := make(kadm.Offsets)
		offsets.Add(kadm.Offset{Topic: names[i], LeaderEpoch: -1})
		if err := adm.CommitAllOffsets(ctx, fmt.Sprintf("g%d", i), offsets); err != nil {
			t.Fatal(err)
		}
	}
	_, body := get(t, s.addr("http")+"/metrics")
	for series, want := range map[string]int{"naru_topic_records_total{": 3, "naru_topic_bytes{": 3, "naru_group_lag{": 3} {
		if got := strings.Count(body, "\n"+series); got != want {
			t.Errorf("%d series of %s, want %d", got, series, want)
		}
	}
	topics := len(s.broker.Topics())
	for _, want := range []string{fmt.Sprintf(`naru_metrics_unlisted{kind="topic"} %d`, topics-3), `naru_metrics_unlisted{kind="group"} 2`} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s", want)
		}
	}
}

// The states of a queue's messages, and how many queues have series.
func TestMetricsOfQueues(t *testing.T) {
	c := testConfig(t)
	c.TopicMetricsMax = 2
	s := start(t, c, Options{})
	for _, name := range []string{"a", "b", "c"} {
		settings := catalog.DefaultQueueSettings()
		if _, err := s.broker.CreateQueue(catalog.QueueSpec{Name: name, Settings: settings}); err != nil {
			t.Fatal(err)
		}
	}
	q, err := s.broker.Queue("a")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	sent := make(chan []broker.Sent)
	q.Send(ctx, []broker.Message{
		{Value: []byte("1"), Delay: -1}, {Value: []byte("2"), Delay: -1}, {Value: []byte("3"), Delay: -1}, {Value: []byte("later"), Delay: time.Hour},
	}, func(list []broker.Sent) { sent <- list })
	for _, one := range <-sent {
		if one.Err != nil {
			t.Fatal(one.Err)
		}
	}
	deliveries, err := q.Receive(ctx, broker.ReceiveRequest{Max: 2, Wait: time.Second})
	if err != nil || len(deliveries) != 2 {
		t.Fatal(deliveries, err)
	}
	acked := make(chan []error)
	q.Ack([]queue.Tag{deliveries[0].Tag}, func(errs []error) { acked <- errs })
	if errs := <-acked; errs[0] != nil {
		t.Fatal(errs)
	}
	_, body := get(t, s.addr("http")+"/metrics")
	for _, want := range []string{
		`naru_queues 3`,
		`naru_queue_messages{queue="a",state="ready"} 1`,
		`naru_queue_messages{queue="a",state="in_flight"} 1`,
		`naru_queue_messages{queue="a",state="delayed"} 1`,
		`naru_queue_events_total{event="sent",queue="a"} 4`,
		`naru_queue_events_total{event="received",queue="a"} 2`,
		`naru_queue_events_total{event="acked",queue="a"} 1`,
		`naru_metrics_unlisted{kind="queue"} 1`,
	} {
		if !strings.Contains(body, "\n"+want) {
			t.Errorf("no %s", want)
		}
	}
	if strings.Contains(body, `queue="c"`) {
		t.Error("more queues have series than may have")
	}
}

// TestOperationsTables holds docs/operations.md to the code.
func TestOperationsTables(t *testing.T) {
	s := start(t, testConfig(t), Options{})
	compareTable(t, "metrics", metricsTable(s))
	compareTable(t, "settings", settingsTable())
}

func metricsTable(s *Server) string {
	descs := make(chan *prometheus.Desc, 1000)
	s.metrics.registry.Describe(descs)
	close(descs)
	parse := regexp.MustCompile(`fqName: "(naru_[^"]+)", help: "([^"]*)", .*variableLabels: \{([^}]*)\}`)
	var rows []string
	for d := range descs {
		if m := parse.FindStringSubmatch(d.String()); m != nil {
			rows = append(rows, fmt.Sprintf("| `%s` | %s | %s |\n", m[1], strings.ReplaceAll(m[3], ",", ", "), m[2]))
		}
	}
	slices.Sort(rows)
	return "| metric | labels | meaning |\n|---|---|---|\n" + strings.Join(rows, "")
}

func settingsTable() string {
	c := DefaultConfig()
	var b strings.Builder
	b.WriteString("| setting | default | meaning |\n|---|---|---|\n")
	for _, s := range c.Settings() {
		kind := ""
		if s.Kind != "" {
			kind = " " + s.Kind
		}
		def := ""
		if s.Get() != "" {
			def = "`" + s.Get() + "`"
		}
		fmt.Fprintf(&b, "| `--%s%s` | %s | %s |\n", s.Name, kind, def, s.Help)
	}
	return b.String()
}

// compareTable compares what stands between two marks with want.
func compareTable(t *testing.T, name, want string) {
	t.Helper()
	b, err := os.ReadFile(operations)
	if err != nil {
		t.Fatal(err)
	}
	open, shut := "<!-- "+name+": written by a test -->\n", "<!-- end of "+name+" -->"
	head, rest, ok := strings.Cut(string(b), open)
	have, tail, ok2 := strings.Cut(rest, shut)
	if !ok || !ok2 {
		t.Fatalf("%s has no marks for %s", operations, name)
	}
	if have == want {
		return
	}
	if !*rewrite {
		t.Errorf("%s: the table of %s is not the code's; go test ./internal/server -rewrite writes it", operations, name)
		return
	}
	if err := os.WriteFile(operations, []byte(head+open+want+shut+tail), 0o644); err != nil {
		t.Fatal(err)
	}
}
