package kinesis

import (
	"reflect"
	"strings"
	"testing"
)

// The words in which AWS refuses a call, as it was seen to.
func TestValidation(t *testing.T) {
	w := newWorld(t, false)
	long := strings.Repeat("a", 257)
	for _, x := range []struct{ action, body, message string }{
		{"DescribeStream", `{"StreamName":""}`,
			"2 validation errors detected: Value '' at 'streamName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+; " +
				"Value '' at 'streamName' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{"DescribeStream", `{"StreamName":"s","Limit":0}`,
			"1 validation error detected: Value '0' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1"},
		{"DescribeStream", `{"StreamName":"s","Limit":10001}`,
			"1 validation error detected: Value '10001' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 10000"},
		{"PutRecord", `{}`,
			"2 validation errors detected: Value null at 'partitionKey' failed to satisfy constraint: Member must not be null; " +
				"Value null at 'data' failed to satisfy constraint: Member must not be null"},
		{"PutRecord", `{"StreamName":"s","Data":"","PartitionKey":"","ExplicitHashKey":"x","SequenceNumberForOrdering":"01"}`,
			"3 validation errors detected: Value '01' at 'sequenceNumberForOrdering' failed to satisfy constraint: Member must satisfy regular expression pattern: 0|([1-9]\\d{0,128}); " +
				"Value '' at 'partitionKey' failed to satisfy constraint: Member must have length greater than or equal to 1; " +
				"Value 'x' at 'explicitHashKey' failed to satisfy constraint: Member must satisfy regular expression pattern: 0|([1-9]\\d{0,38})"},
		{"PutRecords", `{"StreamName":"s","Records":[]}`,
			"1 validation error detected: Value '[]' at 'records' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{"PutRecords", `{"StreamName":"s","Records":[{"PartitionKey":"a","Data":""},{"PartitionKey":"` + long + `"}]}`,
			"2 validation errors detected: Value '" + long + "' at 'records.2.member.partitionKey' failed to satisfy constraint: Member must have length less than or equal to 256; " +
				"Value null at 'records.2.member.data' failed to satisfy constraint: Member must not be null"},
		{"GetShardIterator", `{"StreamName":"s","ShardId":"0","ShardIteratorType":""}`,
			"1 validation error detected: Value '' at 'shardIteratorType' failed to satisfy constraint: Member must satisfy enum value set: [AFTER_SEQUENCE_NUMBER, LATEST, AT_TIMESTAMP, AT_SEQUENCE_NUMBER, TRIM_HORIZON]"},
		{"ListShards", `{"StreamName":"s","ShardFilter":{}}`,
			"1 validation error detected: Value null at 'shardFilter.type' failed to satisfy constraint: Member must not be null"},
		{"AddTagsToStream", `{"StreamName":"s","Tags":{"":"b"}}`,
			"1 validation error detected: Value '{=b}' at 'tags' failed to satisfy constraint: Map keys must satisfy constraint: [Member must have length less than or equal to 128, Member must have length greater than or equal to 1]"},
		{"RemoveTagsFromStream", `{"StreamName":"s","TagKeys":["a",""]}`,
			"1 validation error detected: Value '[a, ]' at 'tagKeys' failed to satisfy constraint: Member must satisfy constraint: [Member must have length less than or equal to 128, Member must have length greater than or equal to 1]"},
		{"CreateStream", `{"StreamName":"s","ShardCount":0}`,
			"1 validation error detected: Value '0' at 'shardCount' failed to satisfy constraint: Member must have value greater than or equal to 1"},
	} {
		status, doc := w.call(x.action, x.body)
		want := `{"__type":"ValidationException","message":` + quote(x.message) + `}`
		if status != 400 || strings.TrimSpace(doc) != want {
			t.Errorf("%s %s:\n got %d %s\nwant %s", x.action, x.body, status, doc, want)
		}
	}
	// At most ten are listed.
	status, doc := w.call("PutRecords", `{"Records":[`+strings.TrimSuffix(strings.Repeat("{},", 20), ",")+`]}`)
	if status != 400 || !strings.Contains(doc, "10 validation errors") {
		t.Errorf("%d %s", status, doc)
	}
}

func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// Every member of an input that has a tag names a shape; a pattern is well formed.
func TestShapes(t *testing.T) {
	for name, sh := range shapes {
		if sh.pattern != "" {
			matches(sh.pattern, "")
		}
		for _, other := range []string{sh.member, sh.key, sh.value} {
			if other != "" && shapes[other] == nil {
				t.Errorf("%s names %s, which does not exist", name, other)
			}
		}
	}
	for _, in := range []any{
		&putRecordIn{}, &putRecordsIn{}, &getRecordsIn{}, &getShardIteratorIn{}, &subscribeIn{}, &listShardsIn{}, &createStreamIn{}, &monitoringIn{},
	} {
		if len(fields(reflect.TypeOf(in).Elem())) == 0 {
			t.Errorf("%T has no members", in)
		}
		if err := validate(in); err == nil && reflect.TypeOf(in) != reflect.TypeOf(&listShardsIn{}) {
			t.Errorf("an empty %T is good", in)
		}
	}
}
