package kinesis

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
)

// BenchmarkPutRecords is 500 records of 1 KiB, from the request to the answer.
func BenchmarkPutRecords(b *testing.B) {
	w := newWorld(b, false)
	w.must("CreateStream", `{"StreamName":"s","ShardCount":4}`, nil)
	data := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("v"), 1024))
	var list []string
	for i := range 500 {
		list = append(list, fmt.Sprintf(`{"PartitionKey":"key-%d","Data":%q}`, i, data))
	}
	body := `{"StreamName":"s","Records":[` + strings.Join(list, ",") + `]}`
	b.SetBytes(500 << 10)
	for b.Loop() {
		rec := httptest.NewRecorder()
		w.h.ServeHTTP(rec, request("PutRecords", body))
		if rec.Code != 200 {
			b.Fatal(rec.Body.String())
		}
	}
}

func BenchmarkSequence(b *testing.B) {
	q := sequence{1_700_000_000, 3, 1_000_000}
	for b.Loop() {
		_ = q.String()
	}
}

// BenchmarkGetRecords is 10,000 records of 100 bytes.
func BenchmarkGetRecords(b *testing.B) {
	w := newWorld(b, false)
	w.must("CreateStream", `{"StreamName":"s","ShardCount":1}`, nil)
	data := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("v"), 100))
	body := `{"StreamName":"s","Records":[` + strings.TrimSuffix(strings.Repeat(fmt.Sprintf(`{"PartitionKey":"key","Data":%q},`, data), 500), ",") + `]}`
	for range 20 {
		w.must("PutRecords", body, &putRecordsOut{})
	}
	it := w.iterator("s", 0, "TRIM_HORIZON")
	b.SetBytes(10_000 * 100)
	for b.Loop() {
		rec := httptest.NewRecorder()
		w.h.ServeHTTP(rec, request("GetRecords", `{"ShardIterator":"`+it+`"}`))
		if rec.Code != 200 {
			b.Fatal(rec.Body.String())
		}
	}
}
