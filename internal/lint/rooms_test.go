package lint

import (
	"path"
	"strings"
)

const modulePath = "github.com/narumq/naru"

// room is a line of the room table: a set of packages with the same place in
// the building.
type room struct {
	// dir is relative to the repository; * stands for one element, and a last
	// element ... for any depth below, or none.
	dir string
	// level is the floor: imports of our own packages go to lower floors only.
	level int
	// only, if set, are the rooms that may be imported, wherever they are. An
	// empty list means nothing of ours. $1 is what the first * of dir matched.
	only []string
	// pure rooms take time and randomness as arguments, return their effects,
	// start no goroutines and do no I/O.
	pure bool
	// core rooms know no protocol by name.
	core bool
}

var nothing = []string{}

// The first room that matches a directory counts.
var rooms = []room{
	// Separate programs and checks.
	{dir: "cmd/*", level: 100},
	{dir: "internal/lint", level: 100, only: nothing},
	{dir: "internal/wire/*/gen", level: 100, only: nothing}, // writes the codec's source
	{dir: "bench/...", level: 100, only: []string{"api/...", "bench/..."}},
	{dir: "conformance/s3", level: 100, only: []string{"internal/objectstore/..."}},
	{dir: "conformance/etcd", level: 100, only: []string{"internal/coord/...", "internal/cluster", "internal/journal"}},
	{dir: "conformance/...", level: 100, only: []string{"conformance/..."}},
	{dir: "examples/...", level: 100, only: []string{".", "api/...", "examples/..."}},

	{dir: "tools/...", level: 100, only: nothing},

	// What services import. A public package may use what is below the broker.
	{dir: ".", level: 65},
	{dir: "api/...", level: 10, only: []string{"api/..."}}, // the definition, and what is generated from it

	{dir: "internal/server", level: 90},
	{dir: "internal/front/aws", level: 75, only: []string{"internal/fault", "internal/wire/aws"}}, // what AWS services share: no service itself
	{dir: "internal/front/sqs", level: 80, only: []string{
		"internal/front/aws", "internal/broker", "internal/queue", "internal/catalog", "internal/commitlog", "internal/record", "internal/fault",
	}},
	{dir: "internal/front/kinesis", level: 80, only: []string{
		"internal/front/aws", "internal/broker", "internal/catalog", "internal/commitlog", "internal/record", "internal/fault",
	}},
	{dir: "internal/front/amqp", level: 80, only: []string{
		"internal/broker", "internal/exchange", "internal/queue", "internal/user", "internal/catalog", "internal/commitlog", "internal/record",
		"internal/fault", "internal/wire/amqp091",
	}},
	{dir: "internal/front/management", level: 80, only: []string{
		"internal/broker", "internal/exchange", "internal/user", "internal/catalog", "internal/record", "internal/fault",
	}},
	{dir: "internal/front/api", level: 80, only: []string{
		"api/...", "internal/broker", "internal/group", "internal/queue", "internal/user", "internal/trigger", "internal/catalog", "internal/commitlog",
		"internal/record", "internal/fault", "internal/vfs", // vfs: its tests fail a disk
	}},
	{dir: "internal/front/console", level: 80, only: nothing},
	{dir: "internal/front/*", level: 80, only: []string{
		"internal/broker", "internal/broker/brokertest", "internal/group", "internal/queue", "internal/catalog", "internal/commitlog",
		"internal/record", "internal/fault", "internal/wire/$1",
	}},
	{dir: "internal/broker/brokertest", level: 75}, // slots of a cluster, for the tests of others
	{dir: "internal/broker", level: 70, core: true},
	{dir: "internal/cluster", level: 60, core: true},
	{dir: "internal/runner", level: 60, only: []string{"internal/trigger", "internal/fault"}},
	{dir: "internal/statelog", level: 60, core: true},
	{dir: "internal/commitlog", level: 50, core: true},
	{dir: "internal/catalog", level: 50, core: true},
	{dir: "internal/user", level: 45, only: []string{"internal/fault"}, pure: true, core: true},
	{dir: "internal/exchange", level: 50, only: pureMayImport, pure: true, core: true},
	{dir: "internal/group", level: 50, only: pureMayImport, pure: true, core: true},
	{dir: "internal/queue", level: 50, only: pureMayImport, pure: true, core: true},
	{dir: "internal/trigger", level: 50, only: pureMayImport, pure: true, core: true},
	{dir: "internal/txn", level: 50, only: pureMayImport, pure: true, core: true},
	{dir: "internal/journal", level: 40, core: true},
	{dir: "internal/vfs", level: 30, only: []string{"internal/fault"}, core: true},
	{dir: "internal/objectstore/storetest", level: 35, only: []string{"internal/objectstore"}}, // what every store must do
	{dir: "internal/objectstore", level: 30, only: []string{"internal/fault", "internal/objectstore/storetest"}, core: true},
	{dir: "internal/coord/coordtest", level: 35, only: []string{"internal/coord"}}, // what every store must do
	{dir: "internal/coord", level: 30, only: []string{"internal/fault", "internal/coord/coordtest"}, core: true},
	{dir: "internal/peer", level: 30, only: []string{"internal/fault"}, core: true},
	{dir: "internal/record", level: 30, only: []string{"internal/fault"}, pure: true, core: true},
	{dir: "internal/fault", level: 0, only: nothing, core: true},
	{dir: "internal/wire/*", level: 0, only: nothing, pure: true},
}

var pureMayImport = []string{"internal/record", "internal/fault"}

// public tells whether a directory is one that services import.
func public(dir string) bool {
	first, _, _ := strings.Cut(dir, "/")
	switch first {
	case "cmd", "internal", "bench", "conformance", "examples", "tools":
		return false
	}
	return true
}

// roomOf finds a directory's room, and what the first * stood for.
func roomOf(table []room, dir string) (*room, string) {
	for i := range table {
		if star, ok := match(table[i].dir, dir); ok {
			return &table[i], star
		}
	}
	return nil, ""
}

// match matches a directory against a room's pattern.
func match(pattern, dir string) (star string, ok bool) {
	if tree, found := strings.CutSuffix(pattern, "/..."); found {
		return "", dir == tree || strings.HasPrefix(dir, tree+"/")
	}
	if ok, err := path.Match(pattern, dir); err != nil || !ok {
		return "", false
	}
	want, have := strings.Split(pattern, "/"), strings.Split(dir, "/")
	for i := range want {
		if want[i] == "*" {
			return have[i], true
		}
	}
	return "", true
}
