package kinesis

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// shape is what the service's model says of a type of members. A zero field says
// nothing.
type shape struct {
	pattern  string // whole
	oneOf    []string
	min, max int64  // of a number; else of the length
	hasMin   bool   // min is meant though it is 0
	member   string // the shape of a list's members
	key      string // the shapes of a map's
	value    string
	shown    string // in place of a list's member that is a structure
}

// shapes are those of the model (2013-12-02), by name.
var shapes = map[string]*shape{
	"StreamName":    {pattern: `[a-zA-Z0-9_.-]+`, min: 1, max: 128},
	"StreamARN":     {pattern: `arn:aws.*:kinesis:.*:\d{12}:stream/\S+`, min: 1, max: 2048},
	"StreamId":      {pattern: `[a-z0-9]{20}-[a-z0-9]{3}`, min: 1, max: 24},
	"ResourceARN":   {pattern: `arn:aws.*:kinesis:.*:\d{12}:.*stream/\S+`, min: 1, max: 2048},
	"ConsumerARN":   {pattern: `^(arn):aws.*:kinesis:.*:\d{12}:.*stream\/[a-zA-Z0-9_.-]+\/consumer\/[a-zA-Z0-9_.-]+:[0-9]+`, min: 1, max: 2048},
	"ConsumerName":  {pattern: `[a-zA-Z0-9_.-]+`, min: 1, max: 128},
	"ShardId":       {pattern: `[a-zA-Z0-9_.-]+`, min: 1, max: 128},
	"HashKey":       {pattern: `0|([1-9]\d{0,38})`},
	"Sequence":      {pattern: `0|([1-9]\d{0,128})`},
	"PartitionKey":  {min: 1, max: 256},
	"Data":          {max: 10 << 20},
	"Records":       {min: 1, max: 500, shown: "com.amazonaws.kinesis.v20131202.PutRecordsRequestEntry@c965e310"},
	"NextToken":     {min: 1, max: 1 << 20},
	"ShardIterator": {min: 1, max: 512},
	"Any":           {},

	"ShardIteratorType": {oneOf: []string{"AFTER_SEQUENCE_NUMBER", "LATEST", "AT_TIMESTAMP", "AT_SEQUENCE_NUMBER", "TRIM_HORIZON"}},
	"ShardFilterType":   {oneOf: []string{"FROM_TRIM_HORIZON", "AT_TIMESTAMP", "AFTER_SHARD_ID", "AT_LATEST", "AT_TRIM_HORIZON", "FROM_TIMESTAMP"}},
	"StreamMode":        {oneOf: []string{"ON_DEMAND", "PROVISIONED"}},
	"ScalingType":       {oneOf: []string{"UNIFORM_SCALING"}},
	"EncryptionType":    {oneOf: []string{"KMS", "NONE"}},
	"KeyId":             {min: 1, max: 2048},

	"Limit":       {min: 1, max: 10_000},
	"TagLimit":    {min: 1, max: 50},
	"ShardCount":  {min: 1, max: 100_000},
	"Natural":     {hasMin: true},
	"RecordSize":  {min: 1024, max: 10240},
	"MetricsName": {oneOf: metricsNames},
	"Metrics":     {min: 1, max: 7, member: "MetricsName"},
	"TagKey":      {min: 1, max: 128},
	"TagValue":    {hasMin: true, max: 256},
	"TagKeys":     {min: 1, max: 50, member: "TagKey"},
	"TagMap":      {min: 1, max: 200, key: "TagKey", value: "TagValue"},
	"Strategy":    {oneOf: []string{"AUTO", "USER_PARTITION_KEY"}},
}

var metricsNames = []string{
	"IncomingBytes", "OutgoingRecords", "IteratorAgeMilliseconds", "IncomingRecords", "ReadProvisionedThroughputExceeded",
	"WriteProvisionedThroughputExceeded", "OutgoingBytes", "ALL",
}

// validationsMax is how many violations an answer lists.
const validationsMax = 10

// validate holds an input to the constraints that its fields' tags name:
//
//	is:"ShardId,required"
//
// A pointer, slice or map that is nil is a member that was not given.
func validate(in any) error {
	v := violations{}
	v.structure(reflect.ValueOf(in).Elem(), "")
	switch n := len(v.list); n {
	case 0:
		return nil
	case 1:
		return invalid("1 validation error detected: %s", v.list[0])
	default:
		return invalid("%d validation errors detected: %s", n, strings.Join(v.list, "; "))
	}
}

type violations struct{ list []string }

func (v *violations) add(value, at, constraint string) {
	if len(v.list) < validationsMax {
		v.list = append(v.list, fmt.Sprintf("Value %s at '%s' failed to satisfy constraint: %s", value, at, constraint))
	}
}

// field is a member with its shape.
type field struct {
	index    int
	name     string // as AWS writes it: streamName
	shape    *shape
	required bool
}

var fieldsOf sync.Map // reflect.Type to []field

func fields(t reflect.Type) []field {
	if known, ok := fieldsOf.Load(t); ok {
		return known.([]field)
	}
	var list []field
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous { // its members are this one's
			list = append(list, field{index: i})
			continue
		}
		tag, ok := f.Tag.Lookup("is")
		if !ok {
			continue
		}
		name, option, _ := strings.Cut(tag, ",")
		sh := shapes[name]
		if sh == nil {
			panic("kinesis: no shape " + name)
		}
		list = append(list, field{i, lowerFirst(f.Name), sh, option == "required"})
	}
	fieldsOf.Store(t, list)
	return list
}

// lowerFirst is how AWS names a member: streamARN, but also records.1.member.
func lowerFirst(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToLower(r)) + s[n:]
}

func (v *violations) structure(s reflect.Value, prefix string) {
	for _, f := range fields(s.Type()) {
		if f.shape == nil {
			v.structure(s.Field(f.index), prefix)
			continue
		}
		value, at := s.Field(f.index), prefix+f.name
		if value.IsNil() {
			if f.required {
				v.add("null", at, "Member must not be null")
			}
			continue
		}
		if value.Kind() == reflect.Pointer {
			value = value.Elem()
		}
		v.value(value, at, f.shape)
	}
}

func (v *violations) value(x reflect.Value, at string, sh *shape) {
	for _, c := range sh.violated(x) {
		v.add(sh.quoted(x), at, c)
	}
	switch x.Kind() {
	case reflect.Struct:
		v.structure(x, at+".")
	case reflect.Slice:
		if x.Type().Elem().Kind() == reflect.Struct {
			for i := range x.Len() {
				v.structure(x.Index(i), fmt.Sprintf("%s.%d.member.", at, i+1))
			}
		}
	}
}

// violated lists the constraints that a value does not satisfy.
func (sh *shape) violated(x reflect.Value) (list []string) {
	switch x.Kind() {
	case reflect.String:
		s := x.String()
		if sh.pattern != "" && !matches(sh.pattern, s) {
			list = append(list, "Member must satisfy regular expression pattern: "+sh.pattern)
		}
		if sh.oneOf != nil && !slices.Contains(sh.oneOf, s) {
			list = append(list, "Member must satisfy enum value set: ["+strings.Join(sh.oneOf, ", ")+"]")
		}
		return append(list, sh.length(int64(utf8.RuneCountInString(s)))...)
	case reflect.Int64:
		n := x.Int()
		if (sh.min != 0 || sh.hasMin) && n < sh.min {
			list = append(list, fmt.Sprintf("Member must have value greater than or equal to %d", sh.min))
		}
		if sh.max != 0 && n > sh.max {
			list = append(list, fmt.Sprintf("Member must have value less than or equal to %d", sh.max))
		}
	case reflect.Slice:
		list = sh.length(int64(x.Len()))
		if sh.member != "" && !allSatisfy(shapes[sh.member], x.Len(), x.Index) {
			list = append(list, "Member must satisfy constraint: ["+shapes[sh.member].constraints()+"]")
		}
	case reflect.Map:
		list = sh.length(int64(x.Len()))
		keys := x.MapKeys()
		if key := shapes[sh.key]; !allSatisfy(key, len(keys), func(i int) reflect.Value { return keys[i] }) {
			list = append(list, "Map keys must satisfy constraint: ["+key.constraints()+"]")
		}
		if value := shapes[sh.value]; !allSatisfy(value, len(keys), func(i int) reflect.Value { return x.MapIndex(keys[i]) }) {
			list = append(list, "Map value must satisfy constraint: ["+value.constraints()+"]")
		}
	}
	return list
}

func allSatisfy(sh *shape, n int, at func(int) reflect.Value) bool {
	for i := range n {
		if len(sh.violated(at(i))) > 0 {
			return false
		}
	}
	return true
}

func (sh *shape) length(n int64) (list []string) {
	if n < sh.min {
		list = append(list, fmt.Sprintf("Member must have length greater than or equal to %d", sh.min))
	}
	if sh.max != 0 && n > sh.max {
		list = append(list, fmt.Sprintf("Member must have length less than or equal to %d", sh.max))
	}
	return list
}

// constraints are those of a member of a list or a map, in one text.
func (sh *shape) constraints() string {
	var list []string
	if sh.max != 0 {
		list = append(list, fmt.Sprintf("Member must have length less than or equal to %d", sh.max))
	}
	if sh.min != 0 || sh.hasMin {
		list = append(list, fmt.Sprintf("Member must have length greater than or equal to %d", sh.min))
	}
	if sh.oneOf != nil {
		list = append(list, "Member must satisfy enum value set: ["+strings.Join(sh.oneOf, ", ")+"]")
	}
	return strings.Join(list, ", ")
}

// quoted is a value as AWS quotes it.
func (sh *shape) quoted(x reflect.Value) string {
	switch x.Kind() {
	case reflect.Slice:
		if x.Type().Elem().Kind() == reflect.Uint8 {
			return fmt.Sprintf("'java.nio.HeapByteBuffer[pos=0 lim=%d cap=%[1]d]'", x.Len())
		}
		var items []string
		for i := range min(x.Len(), quotedMax) {
			if sh.shown != "" {
				items = append(items, sh.shown)
			} else {
				items = append(items, fmt.Sprint(x.Index(i)))
			}
		}
		return "'[" + clip(strings.Join(items, ", ")) + "]'"
	case reflect.Map:
		var items []string
		for _, k := range x.MapKeys() {
			items = append(items, fmt.Sprintf("%s=%s", k, x.MapIndex(k)))
		}
		slices.Sort(items)
		return "'{" + clip(strings.Join(items, ", ")) + "}'"
	}
	return fmt.Sprintf("'%s'", clip(fmt.Sprint(x)))
}

// quotedMax is how many members of a list an answer quotes.
const quotedMax = 1_000

var patterns sync.Map // string to *regexp.Regexp

func matches(pattern, s string) bool {
	re, ok := patterns.Load(pattern)
	if !ok {
		re, _ = patterns.LoadOrStore(pattern, regexp.MustCompile(`\A(?:`+pattern+`)\z`))
	}
	return re.(*regexp.Regexp).MatchString(s)
}
