package queue

import "github.com/narumq/naru/internal/record"

// item is an entry (id >= 0) or a group (^id) at an offset.
type item struct {
	offset record.Offset
	id     int32
}

// offsetHeap is a binary heap, the lowest offset first.
type offsetHeap []item

func (h *offsetHeap) push(x item) {
	list := append(*h, x)
	i := len(list) - 1
	for i > 0 {
		up := (i - 1) / 2
		if list[up].offset <= x.offset {
			break
		}
		list[i] = list[up]
		i = up
	}
	list[i] = x
	*h = list
}

func (h *offsetHeap) pop() item {
	list := *h
	top, n := list[0], len(list)-1
	x := list[n]
	list = list[:n]
	*h = list
	if n == 0 {
		return top
	}
	i := 0
	for {
		down := 2*i + 1
		if down >= n {
			break
		}
		if r := down + 1; r < n && list[r].offset < list[down].offset {
			down = r
		}
		if list[down].offset >= x.offset {
			break
		}
		list[i] = list[down]
		i = down
	}
	list[i] = x
	return top
}

// timerHeap holds entries that are leased or held, the first to end on top.
// An entry knows its place, so that it can be taken out.
type timerHeap struct{ list []int32 }

func (h *timerHeap) push(q *Queue, i int32) {
	h.list = append(h.list, i)
	h.up(q, len(h.list)-1)
}

func (h *timerHeap) remove(q *Queue, i int32) {
	at := int(q.entries[i].timer)
	if at < 0 {
		return
	}
	q.entries[i].timer = -1
	n := len(h.list) - 1
	last := h.list[n]
	h.list = h.list[:n]
	if at == n {
		return
	}
	h.list[at] = last
	q.entries[last].timer = int32(at)
	h.down(q, at)
	h.up(q, int(q.entries[last].timer))
}

// sooner tells whether a ends before b; of those that end together the lower offset.
func (q *Queue) sooner(a, b int32) bool {
	x, y := &q.entries[a], &q.entries[b]
	return x.until < y.until || x.until == y.until && x.Offset < y.Offset
}

func (h *timerHeap) up(q *Queue, at int) {
	i := h.list[at]
	for at > 0 {
		parent := (at - 1) / 2
		p := h.list[parent]
		if !q.sooner(i, p) {
			break
		}
		h.list[at] = p
		q.entries[p].timer = int32(at)
		at = parent
	}
	h.list[at] = i
	q.entries[i].timer = int32(at)
}

func (h *timerHeap) down(q *Queue, at int) {
	i, n := h.list[at], len(h.list)
	for {
		child := 2*at + 1
		if child >= n {
			break
		}
		if r := child + 1; r < n && q.sooner(h.list[r], h.list[child]) {
			child = r
		}
		c := h.list[child]
		if !q.sooner(c, i) {
			break
		}
		h.list[at] = c
		q.entries[c].timer = int32(at)
		at = child
	}
	h.list[at] = i
	q.entries[i].timer = int32(at)
}
