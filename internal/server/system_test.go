package server

import (
	"net/http"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A client of Kafka may call itself anything.
func TestConnectionsOfAnyName(t *testing.T) {
	s := start(t, testConfig(t), Options{})
	cl := kafkaClient(t, s.addr("kafka"), kgo.ClientID("\xff\xfe"))
	if err := produce(t, cl, "t", "v"); err != nil {
		t.Fatal(err)
	}
	if code, body := get(t, s.addr("http")+"/v1/connections"); code != http.StatusOK {
		t.Errorf("%d %s", code, body)
	}
}
