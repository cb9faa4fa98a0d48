package api

import (
	"context"
	"fmt"
	"strings"
	"testing"

	naruv1 "github.com/narumq/naru/api/naru/v1"
	"github.com/narumq/naru/api/naru/v1/naruv1connect"
	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/trigger"
)

func TestTriggersByREST(t *testing.T) {
	w := newWorld(t)
	runs := make(chan string, 10)
	err := w.s.broker.StartTriggers(broker.TriggersConfig{Run: func(_ context.Context, x trigger.Work) error {
		runs <- x.RunID()
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	w.must("POST", "/v1/queues", `{"queue":"mails","settings":{"lanes":8}}`)
	made := w.must("POST", "/v1/triggers", `{"spec":{"trigger":"t","queue":"mails","conditions":[
		{"on":"depth","depth":10,"minPriority":5},{"on":"depth","depth":2,"maxWait":"30s"}],
		"webhook":{"url":"http://127.0.0.1:9/hook","headers":{"x":"y"},"timeout":"5s"}}}`)
	spec := made["spec"].(map[string]any)
	got := fmt.Sprint(spec["conditions"], spec["webhook"], spec["maxRunning"], spec["attemptsMax"], made["armed"], made["configured"])
	if want := "[map[depth:10 minPriority:5 on:depth] map[depth:2 maxWait:30s minPriority:0 on:depth]]" +
		" map[headers:map[x:y] timeout:5s url:http://127.0.0.1:9/hook] 1 5 [true true] false"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	w.must("POST", "/v1/queues/mails/messages", `{"messages":[{"text":"a"},{"text":"b"}]}`)
	id := <-runs
	client := naruv1connect.NewTriggerServiceClient(w.client, w.web.URL)
	for {
		x, err := client.GetTrigger(context.Background(), &naruv1.GetTriggerRequest{Trigger: "t"})
		if err != nil {
			t.Fatal(err)
		}
		if x.GetSucceeded() == 1 {
			if r := x.GetRuns()[0]; r.GetId() != id || r.GetCondition() != 1 || r.GetState() != "succeeded" || r.GetEndedTime() == nil || x.GetArmed()[1] {
				t.Errorf("%v", x)
			}
			break
		}
	}
	want(t, list(w.must("GET", "/v1/triggers", ""), "triggers", "fired"), "1")
	w.must("DELETE", "/v1/triggers/t", "")
	want(t, list(w.must("GET", "/v1/triggers", ""), "triggers", "fired"))
}

func TestTriggersRefused(t *testing.T) {
	w := newWorld(t)
	w.must("POST", "/v1/queues", `{"queue":"mails"}`)
	for _, c := range []struct{ method, path, body, code, says string }{
		{"GET", "/v1/triggers/t", "", "not_found", "unknown trigger: t"},
		{"DELETE", "/v1/triggers/t", "", "not_found", "unknown trigger: t"},
		{"POST", "/v1/triggers", `{}`, "invalid_argument", "does nothing"},
		{"POST", "/v1/triggers", `{"spec":{"trigger":"t","queue":"none","conditions":[{"on":"first"}],"webhook":{"url":"http://x/"}}}`, "not_found", "none"},
		{"POST", "/v1/triggers", `{"spec":{"trigger":"t","queue":"mails","conditions":[{"on":"first"}],"webhook":{"url":"file:///x"}}}`, "invalid_argument", "file:///x"},
		{"POST", "/v1/triggers", `{"spec":{"trigger":"t","queue":"mails","conditions":[{"on":"first"}],"program":{"argv":["x"]}}}`, "failed_precondition", "--trigger-programs"},
		{"POST", "/v1/triggers", `{"spec":{"trigger":"t","queue":"mails","conditions":[{"on":"depth","depth":1,"maxWait":"-1s"}],"webhook":{"url":"http://x/"}}}`, "invalid_argument", "max wait"},
	} {
		_, out, _ := w.call(c.method, c.path, c.body)
		if out["code"] != c.code || !strings.Contains(fmt.Sprint(out["message"]), c.says) {
			t.Errorf("%s %s %s: %v", c.method, c.path, c.body, out)
		}
	}
}
