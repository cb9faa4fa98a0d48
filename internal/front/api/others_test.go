package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	naruv1 "github.com/narumq/naru/api/naru/v1"
	"github.com/narumq/naru/api/naru/v1/naruv1connect"
	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/group"
	"github.com/narumq/naru/internal/vfs"
)

// What other protocols named in bytes that are not UTF-8 is shown all the same.
func TestNamesThatAreNotUTF8(t *testing.T) {
	w := newWorld(t)
	bad := "\xff\xfe"
	joined := make(chan group.JoinResponse, 1)
	w.s.broker.JoinGroup(group.JoinRequest{
		Group: "g", ClientID: bad, ClientHost: bad, InstanceID: bad, SessionTimeout: 10 * time.Second, RebalanceTimeout: time.Second,
		ProtocolType: bad, Protocols: []group.Protocol{{Name: bad}},
	}, func(r group.JoinResponse) { joined <- r })
	if r := <-joined; r.Err != nil {
		t.Fatal(r.Err)
	}
	spec := catalog.QueueSpec{Name: "q", Settings: catalog.DefaultQueueSettings(), Tags: map[string]string{"k" + bad: bad}}
	if _, err := w.s.broker.CreateQueue(spec); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/v1/groups", "/v1/groups/g", "/v1/queues", "/v1/queues/q"} {
		w.must("GET", path, "")
	}
}

func TestTagsAreBounded(t *testing.T) {
	w := newWorld(t)
	for name, tags := range map[string]map[string]string{
		"many": func() map[string]string {
			out := map[string]string{}
			for i := range tagsMax + 1 {
				out[strings.Repeat("k", i+1)] = ""
			}
			return out
		}(),
		"long": {"k": strings.Repeat("v", tagBytesMax)},
	} {
		if _, err := w.s.CreateQueue(context.Background(), &naruv1.CreateQueueRequest{Queue: "q", Tags: tags}); codeOf(err) != connect.CodeInvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// When storage fails nothing claims to have been done, whatever is asked, and whoever
// asks may come again.
func TestStorageFailed(t *testing.T) {
	mem := vfs.NewMem()
	b, err := broker.Open(broker.Config{Dir: "data", FS: mem, Store: catalog.NewMem(), RetentionEvery: -1, AutoCreate: true, DefaultPartitions: 1})
	if err != nil {
		t.Fatal(err)
	}
	w := serve(t, b, func() { b.Close() })
	w.must("POST", "/v1/topics", `{"topic":"t"}`)
	w.must("POST", "/v1/queues", `{"queue":"q"}`)
	w.sendTexts("q", 2)
	d := list(w.must("POST", "/v1/queues/q/messages:receive", `{"maxMessages":2}`), "messages", "delivery")
	mem.SetFault(func(op vfs.Op) error {
		if op.Kind == vfs.OpSync || op.Kind == vfs.OpWrite {
			return errors.New("the disk is on fire")
		}
		return nil
	})
	for _, c := range [][2]string{
		{"/v1/topics/t/records", `{"records":[{"text":"a"},{"text":"b"}]}`},
		{"/v1/queues/q/messages", `{"messages":[{"text":"a"},{"text":"b"}]}`},
		{"/v1/queues/q/messages:ack", `{"deliveries":["` + d[0] + `","` + d[1] + `"]}`},
		{"/v1/queues/q/messages/" + d[0] + ":ack", ``},
		{"/v1/queues/q:request", `{"message":{"text":"a"}}`},
		{"/v1/queues/q:purge", `{}`},
	} {
		code, got, h := w.call("POST", c[0], c[1])
		if code != http.StatusServiceUnavailable || h.Get("Retry-After") == "" {
			t.Errorf("%s: %d %v", c[0], code, got)
		}
	}
	code, got, _ := w.call("POST", "/v1/topics/t/records", `{"records":[{"text":"a"}]}`, "Idempotency-Key", "k")
	if code != http.StatusServiceUnavailable {
		t.Errorf("with a key: %d %v", code, got)
	}
	client := naruv1connect.NewTopicServiceClient(w.client, w.web.URL, connect.WithGRPC())
	_, err = client.Produce(context.Background(), &naruv1.ProduceRequest{Topic: "t", Records: []*naruv1.NewRecord{{}}})
	if connect.CodeOf(err) != connect.CodeUnavailable {
		t.Error(err)
	}
}
