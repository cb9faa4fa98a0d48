package kafka

import "sync"

// bufferList keeps large buffers, up to a number of bytes in all. A sync.Pool
// would forget them at each collection and so make the next one come sooner.
type bufferList struct {
	mu       sync.Mutex
	kept     []*[]byte // guarded by mu; oldest first
	bytes    int       // guarded by mu: of kept
	bytesMax int       // guarded by mu
}

const largeBufferStep = 256 << 10 // lengths are multiples of it

var largeBuffers bufferList

// keep sets how many bytes are kept.
func (l *bufferList) keep(bytesMax int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bytesMax = bytesMax
}

// get returns the smallest buffer kept that has room for n bytes and is not
// more than twice as long, or a new one.
func (l *bufferList) get(n int) *[]byte {
	l.mu.Lock()
	best := -1
	for i, box := range l.kept {
		if have := len(*box); have >= n && have <= 2*n && (best < 0 || have < len(*l.kept[best])) {
			best = i
		}
	}
	if best >= 0 {
		box := l.take(best)
		l.mu.Unlock()
		return box
	}
	l.mu.Unlock()
	b := make([]byte, (n+largeBufferStep-1)/largeBufferStep*largeBufferStep)
	return &b
}

// take removes the buffer at i. Caller holds mu.
func (l *bufferList) take(i int) *[]byte {
	box := l.kept[i]
	copy(l.kept[i:], l.kept[i+1:])
	l.kept[len(l.kept)-1] = nil
	l.kept = l.kept[:len(l.kept)-1]
	l.bytes -= len(*box)
	return box
}

// put keeps a buffer, and forgets the oldest ones if there are too many bytes.
func (l *bufferList) put(box *[]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kept = append(l.kept, box)
	l.bytes += len(*box)
	for l.bytes > l.bytesMax {
		l.take(0)
	}
}
