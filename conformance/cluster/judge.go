package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/narumq/naru/conformance/history"
	"github.com/narumq/naru/conformance/leases"
)

// judged are a queue's events as the judge wants them: with the life of the server that answered.
//
// A life is a time in which nothing changed hands. That a send was acknowledged does not prove that a delivery before it is durable:
// what a delivery changes is written, and not waited for; so sends have a life of their own. A request in whose time something changed
// hands is in no other's life, and a deletion then proves nothing: a new owner that never heard of the delivery accepts its handle, as
// SQS accepts an old one, and deletes nothing. Neither does one that was answered when its lease had ended.
func judged(events []*queueEvent, o *owners) []leases.Event {
	const ofSends = 0
	alone := 1 << 20
	life := func(e *queueEvent) (int, bool) {
		n, certain := o.tenure(e.Start, e.Time)
		if !certain {
			alone++
			return alone, false
		}
		return 1 + n, true
	}
	list := make([]leases.Event, 0, len(events))
	for _, e := range events {
		j := e.Event
		switch {
		case e.Kind == leases.Send:
			j.Life = ofSends
		case e.Kind == leases.Delete:
			given, _ := life(e.of)
			now, certain := life(e)
			j.OK = e.OK && certain && now == given && e.Time < e.of.Start+e.of.Lease
			j.Life = now
		default:
			j.Life, _ = life(e)
		}
		list = append(list, j)
	}
	return list
}

var errSeen = errors.New("see above")

// report counts checks.
type report struct{ passed, failed int }

// check is one check: that there is nothing to tell.
func (r *report) check(name string, found []string) {
	if len(found) == 0 {
		r.passed++
		return
	}
	r.failed++
	fmt.Printf("cluster: %s: %d\n", name, len(found))
	for _, text := range found[:min(20, len(found))] {
		fmt.Println("  ", text)
	}
}

func (r *report) records(found []history.Anomaly) {
	by := map[string][]string{}
	for _, a := range found {
		by[a.Name] = append(by[a.Name], a.Detail)
	}
	for _, name := range history.Names() {
		r.check(name, by[name])
	}
}

func (r *report) messages(queue string, events []leases.Event) {
	by := map[string][]string{}
	for _, a := range leases.Check(events) {
		by[a.Name] = append(by[a.Name], a.Detail)
		if len(by[a.Name]) == 1 {
			for i, value := range strings.Split(a.Detail, `"`) { // each value that it speaks of
				if i%2 == 1 {
					by[a.Name] = append(by[a.Name], fate(events, value)...)
				}
			}
		}
	}
	for _, name := range leases.Names() {
		r.check(queue+": "+name, by[name])
	}
}

func (r *report) end() error {
	fmt.Printf("cluster: %d passed, %d failed\n", r.passed, r.failed)
	if r.failed > 0 {
		return errSeen
	}
	return nil
}

// fate is what happened to a value.
func fate(events []leases.Event, value string) []string {
	for _, e := range events {
		if e.Value == value && e.Start != 0 {
			return append([]string{fmt.Sprintf("   %s, from %.3f s on:", value, clock(time.Unix(0, e.Start)))}, leases.Story(events, value)...)
		}
	}
	return nil
}
