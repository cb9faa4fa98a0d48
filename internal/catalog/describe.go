package catalog

import (
	"maps"
	"slices"
)

// Source is where a setting's value comes from.
type Source uint8

// The sources, nearest first.
const (
	FromTopic   Source = iota // the topic sets it
	FromBroker                // the server was started with it
	FromDefault               // nobody sets it
)

// String returns the source's name.
func (s Source) String() string {
	return [...]string{"topic", "broker", "default"}[s]
}

// Synonym is one of the values that a setting could take, nearest first: the
// first one is in effect.
type Synonym struct {
	Name, Value string
	Source      Source
}

// Described is a setting as an administrator sees it. No setting is secret.
type Described struct {
	Name, Value string
	Source      Source
	Type        ConfigType
	ReadOnly    bool // it has this one value
	Synonyms    []Synonym
	Doc         string
}

// Default reports whether nobody set the value.
func (d *Described) Default() bool { return d.Source == FromDefault }

// Describe lists every setting that holds for a topic, sorted by name.
func (s *Settings) Describe() []Described {
	out := make([]Described, len(knownSettings))
	for i := range knownSettings {
		d := &knownSettings[i]
		v, src := s.value(d)
		out[i] = Described{Name: d.name, Value: v, Source: src, Type: d.typ, ReadOnly: d.fixed, Doc: d.doc}
		if src == FromTopic {
			out[i].Synonyms = append(out[i].Synonyms, Synonym{d.name, v, FromTopic})
		}
		if d.broker == "" {
			continue
		}
		if v, ok := s.broker[d.name]; ok {
			out[i].Synonyms = append(out[i].Synonyms, Synonym{d.broker, v, FromBroker})
		}
		out[i].Synonyms = append(out[i].Synonyms, Synonym{d.broker, d.def, FromDefault})
	}
	return out
}

// brokerSettings describe the values that a server may pass to DescribeBroker.
var brokerSettings = map[string]Described{
	"advertised.listeners":             {Type: TypeString, Doc: "The addresses that clients are told to connect to."},
	"auto.create.topics.enable":        {Type: TypeBoolean, Doc: "Whether a topic is created when a client asks for it by name."},
	"broker.id":                        {Type: TypeInt, Doc: "The number of this broker."},
	"default.replication.factor":       {Type: TypeInt, Doc: "How many replicas a partition has."},
	"group.initial.rebalance.delay.ms": {Type: TypeInt, Doc: "How long a new group waits for more members before it first assigns partitions."},
	"group.max.session.timeout.ms":     {Type: TypeInt, Doc: "The longest session timeout that a member of a group may ask for."},
	"group.min.session.timeout.ms":     {Type: TypeInt, Doc: "The shortest session timeout that a member of a group may ask for."},
	"listeners":                        {Type: TypeString, Doc: "The addresses that the server listens on."},
	"log.dir":                          {Type: TypeString, Doc: "The data directory."},
	"log.dirs":                         {Type: TypeString, Doc: "The data directory."},
	"node.id":                          {Type: TypeInt, Doc: "The number of this broker."},
	"num.partitions":                   {Type: TypeInt, Doc: "How many partitions a topic gets where its creator does not say."},
	"offsets.retention.minutes":        {Type: TypeInt, Doc: "How long committed offsets outlive their group's last member."},
	"offsets.topic.replication.factor": {Type: TypeInt, Doc: "How many replicas committed offsets have."},
	"process.roles":                    {Type: TypeList, Doc: "What this process does."},
	"socket.request.max.bytes":         {Type: TypeInt, Doc: "The largest request in bytes."},
}

// DescribeBroker lists the server's own settings, which are given by their
// names, and the broker-wide defaults of topics, sorted by name. All are read
// only: they are set when the server starts.
func (c *Catalog) DescribeBroker(values map[string]string) []Described {
	all := map[string]Described{}
	for i := range knownSettings {
		d := &knownSettings[i]
		if d.broker == "" {
			continue
		}
		e := Described{Name: d.broker, Value: d.def, Source: FromDefault, Type: d.typ, Doc: d.doc}
		if v, ok := c.rules.broker[d.name]; ok {
			e.Value, e.Source = v, FromBroker
			e.Synonyms = []Synonym{{d.broker, v, FromBroker}}
		}
		e.Synonyms = append(e.Synonyms, Synonym{d.broker, d.def, FromDefault})
		all[d.broker] = e
	}
	for name, v := range values {
		e, known := brokerSettings[name]
		if !known {
			e.Type = TypeString
		}
		e.Name, e.Value, e.Source = name, v, FromBroker
		e.Synonyms = []Synonym{{name, v, FromBroker}}
		all[name] = e
	}
	out := make([]Described, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		e := all[name]
		e.ReadOnly = true
		out = append(out, e)
	}
	return out
}
