package aws

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"net/url"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// sample has a field of each kind that the actions use.
type sample struct {
	Name    string
	Number  *int64
	Flag    bool
	Body    []byte
	Names   []string               `query:"AttributeName"`
	Tags    map[string]string      `query:"Tag,Key,Value"`
	Values  map[string]sampleValue `query:"MessageAttribute,Name,Value"`
	Entries []sampleEntry          `query:"Entry"`
	Ignored string                 `query:"-"`
}

type sampleValue struct {
	DataType     string
	StringValue  *string
	BinaryValue  []byte   `query:"BinaryValue,base64"`
	BinaryValues [][]byte `query:"BinaryListValue,base64"`
}

type sampleEntry struct {
	Id     string
	Delay  *int64
	Values map[string]sampleValue `query:"MessageAttribute,Name,Value"`
}

func ptr[T any](v T) *T { return &v }

func TestDecodeForm(t *testing.T) {
	for _, test := range []struct {
		form string
		want sample
	}{
		{"", sample{}},
		{"Name=&Ignored=x&-=y&Unknown=z", sample{}},
		{"Name=%EB%82%98%EB%A3%A8&Number=-5&Flag=true&Body=a+b", sample{Name: "나루", Number: ptr(int64(-5)), Flag: true, Body: []byte("a b")}},
		{"AttributeName.1=a&AttributeName.2=b&AttributeName.4=d", sample{Names: []string{"a", "b"}}},
		{"AttributeName.member.1=a", sample{Names: []string{"a"}}},
		{"Tag.1.Key=k&Tag.1.Value=v&Tag.2.Key=l", sample{Tags: map[string]string{"k": "v", "l": ""}}},
		{"MessageAttribute.1.Name=n&MessageAttribute.1.Value.DataType=Number&MessageAttribute.1.Value.StringValue=7&" +
			"MessageAttribute.2.Name=b&MessageAttribute.2.Value.BinaryValue=AP8%3D&MessageAttribute.2.Value.BinaryListValue.1=AA%3D%3D",
			sample{Values: map[string]sampleValue{"n": {DataType: "Number", StringValue: ptr("7")}, "b": {BinaryValue: []byte{0, 0xFF}, BinaryValues: [][]byte{{0}}}}}},
		{"Entry.1.Id=x&Entry.1.Delay=3&Entry.2.Id=y&Entry.2.MessageAttribute.1.Name=n&Entry.2.MessageAttribute.1.Value.StringValue=",
			sample{Entries: []sampleEntry{{Id: "x", Delay: ptr(int64(3))}, {Id: "y", Values: map[string]sampleValue{"n": {StringValue: ptr("")}}}}}},
	} {
		form, err := url.ParseQuery(test.form)
		if err != nil {
			t.Fatal(err)
		}
		var got sample
		if err := DecodeForm(form, &got); err != nil || !reflect.DeepEqual(got, test.want) {
			g, _ := json.Marshal(got)
			w, _ := json.Marshal(test.want)
			t.Errorf("%s: %v\n got %s\nwant %s", test.form, err, g, w)
		}
	}
	for _, wrong := range []string{"Number=x", "Number=", "Number=1.5", "Entry.1.Delay=99999999999999999999", "MessageAttribute.1.Name=a&MessageAttribute.1.Value.BinaryValue=?"} {
		form, _ := url.ParseQuery(wrong)
		var e *Error
		if err := DecodeForm(form, new(sample)); !errors.As(err, &e) || e.code() != "MalformedInput" {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}

// Longer lists than any action has are refused, not cut.
func TestLongLists(t *testing.T) {
	for _, name := range []string{"AttributeName.%", "Tag.%.Key", "Entry.%.Id"} {
		form := url.Values{}
		for i := range listMax + 1 {
			form.Set(strings.ReplaceAll(name, "%", strconv.Itoa(i+1)), "x")
		}
		if err := DecodeForm(form, new(sample)); err == nil {
			t.Errorf("%s: %d were taken", name, listMax+1)
		}
	}
}

// FuzzForm: any form is decoded in little time and memory, or refused.
func FuzzForm(f *testing.F) {
	f.Add("Name=x&Number=5&AttributeName.1=a&Tag.1.Key=k&Tag.1.Value=v")
	f.Add("Entry.1.Id=x&Entry.1.MessageAttribute.1.Name=n&Entry.1.MessageAttribute.1.Value.BinaryValue=AA==&Entry.1.MessageAttribute.1.Value.BinaryListValue.1=AA==")
	f.Add("Entry.1=&Entry.2.=&Entry..1=&Tag.1.Key=&Tag.1.Key=x&%zz=1")
	f.Fuzz(func(t *testing.T, text string) {
		form, err := url.ParseQuery(text)
		if err != nil || len(form) > formFieldsMax {
			return
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		began := time.Now()
		var got sample
		err = DecodeForm(form, &got)
		took := time.Since(began)
		runtime.ReadMemStats(&after)
		var e *Error
		if err != nil && !errors.As(err, &e) {
			t.Errorf("%v", err)
		}
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 1<<20+uint64(len(text))*200 {
			t.Errorf("%d bytes allocated for %d", grown, len(text))
		}
		if took > 2*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

type xmlSample struct {
	URL    string            `element:"QueueUrl"`
	Names  []string          `element:"Name"`
	Values map[string]string `element:"Attribute,Name,Value"`
	Count  int64
	Rate   *int64
	Blob   []byte
	Flag   bool
	Items  []xmlItem `element:"Item"`
	Hidden string    `element:"-"`
}

type xmlItem struct{ Id string }

func TestEncodeXML(t *testing.T) {
	in := xmlSample{URL: "a<b>&\r\n나루", Names: []string{"x", "y"}, Values: map[string]string{"k2": "v\t", "k1": "<"}, Count: 5, Rate: ptr(int64(0)), Blob: []byte{0, 0xFF},
		Items: []xmlItem{{"1"}, {"2"}}, Hidden: "secret"}
	text := string(EncodeXML(&in))
	const want = `<QueueUrl>a&lt;b&gt;&amp;&#xD;&#xA;나루</QueueUrl><Name>x</Name><Name>y</Name><Attribute><Name>k1</Name><Value>&lt;</Value></Attribute>` +
		`<Attribute><Name>k2</Name><Value>v&#x9;</Value></Attribute><Count>5</Count><Rate>0</Rate><Blob>AP8=</Blob><Flag>false</Flag><Item><Id>1</Id></Item><Item><Id>2</Id></Item>`
	if text != want {
		t.Errorf("\n got %s\nwant %s", text, want)
	}
	var back struct {
		QueueUrl string
		Name     []string
	}
	if err := xml.Unmarshal([]byte("<x>"+text+"</x>"), &back); err != nil || back.QueueUrl != in.URL || len(back.Name) != 2 {
		t.Errorf("%q %v", back, err)
	}
	if got := string(EncodeXML(&xmlSample{})); got != "<Count>0</Count><Flag>false</Flag>" {
		t.Errorf("%s", got)
	}
	if got := EncodeXML(nil); len(got) != 0 {
		t.Errorf("%s", got)
	}
}
