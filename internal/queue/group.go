package queue

// group is the line of one group's records that are not in flight.
type group struct {
	hash   uint64
	source Source
	line   offsetHeap
	busy   int32 // records leased or settling
	listed bool  // in its window's ready heap
}

// groupTable holds the groups of an ordered queue that have records in memory.
type groupTable struct {
	list   []group
	unused []int32
	byHash map[groupKey]int32
}

type groupKey struct {
	source Source
	hash   uint64
}

func newGroupTable() groupTable { return groupTable{byHash: make(map[groupKey]int32)} }

func (t *groupTable) at(g int32) *group { return &t.list[g] }

// join makes the entry a member of its group, if the queue is ordered. A record
// without a group is in no order.
func (q *Queue) join(i int32) {
	e := &q.entries[i]
	if !q.cfg.Ordered || e.Group == 0 {
		return
	}
	t, key := &q.groups, groupKey{e.source, e.Group}
	g, ok := t.byHash[key]
	if !ok {
		if n := len(t.unused); n > 0 {
			g, t.unused = t.unused[n-1], t.unused[:n-1]
		} else {
			t.list = append(t.list, group{})
			g = int32(len(t.list) - 1)
		}
		t.list[g] = group{hash: e.Group, source: e.source, line: t.list[g].line[:0]}
		t.byHash[key] = g
	}
	e.group = g
}

// lineUp puts the entry, which is ready or held, in its group's line.
func (q *Queue) lineUp(i int32) {
	e := &q.entries[i]
	if e.group < 0 {
		return
	}
	if !e.queued { // a record that was held is in its line already
		e.queued = true
		q.groups.at(e.group).line.push(item{e.Offset, i})
	}
	q.list(e.group)
}

// list puts the group among what can be delivered, if it can be.
func (q *Queue) list(n int32) {
	g := q.groups.at(n)
	if g.busy > 0 || g.listed || !q.headReady(g) {
		return
	}
	g.listed = true
	q.sources[g.source].ready.push(item{g.line[0].offset, ^n})
}

// headReady tells whether the first of the line can be delivered.
func (q *Queue) headReady(g *group) bool {
	for len(g.line) > 0 {
		x := g.line[0]
		e := &q.entries[x.id]
		if e.queued && e.Offset == x.offset && e.source == g.source {
			return e.state == ready
		}
		g.line.pop() // it was forgotten
	}
	return false
}

// popHead takes the first out of the line.
func (q *Queue) popHead(g *group) int32 {
	i := g.line.pop().id
	q.entries[i].queued = false
	return i
}

// leaveGroup is told that records of group n were forgotten: the next may go, or the
// group is no more.
func (q *Queue) leaveGroup(n int32) {
	t := &q.groups
	g := t.at(n)
	q.list(n)
	if g.busy > 0 || g.listed || len(g.line) > 0 {
		return
	}
	if q.last.number == n {
		q.last = lastGroup{} // the number goes to another one
	}
	delete(t.byHash, groupKey{g.source, g.hash})
	t.unused = append(t.unused, n)
}
