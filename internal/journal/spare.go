package journal

import "sync"

// spareBodiesMax is enough where objects are stored as fast as they are filled: each that leaves the cache is the next one's.
const spareBodiesMax = 2

// spareBodies are memory of objects that nobody reads any more. To have it cleared for each object, and collected, costs as much as to
// fill it.
type spareBodies struct {
	mu   sync.Mutex
	kept [][]byte // guarded by mu
}

// get returns memory with room for so many bytes, whatever is in it.
func (s *spareBodies) get(bytes int64) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, b := range s.kept {
		if have := int64(cap(b)); have >= bytes && have <= 2*bytes {
			last := len(s.kept) - 1
			s.kept[i], s.kept[last] = s.kept[last], nil
			s.kept = s.kept[:last]
			return b
		}
	}
	return make([]byte, 0, bytes)
}

// put keeps memory in the place of what was kept longest.
func (s *spareBodies) put(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.kept) == spareBodiesMax {
		copy(s.kept, s.kept[1:])
		s.kept = s.kept[:spareBodiesMax-1]
	}
	s.kept = append(s.kept, b)
}
