package journal

// Replayed is one append that recovery found.
type Replayed struct {
	Stream  StreamID
	Payload []byte // valid during the call only
}

// Replay gives each every sound frame that was committed to a segment numbered
// above `after`, also if it has been relocated since. Call it after Open and
// before the first append: state that was saved when segment `after` was sealed
// is brought up to date so. Within a segment the frames of a stream come in
// order. Frames may come that the state knows already.
func (j *Journal) Replay(after SegmentID, each func(Replayed)) error {
	for _, s := range j.sealedSegments() {
		if s.newest <= after {
			continue
		}
		view := &segment{id: s.id, file: s.file, path: s.path, salt: s.salt, capacity: s.end}
		_, _, err := scan(view, true, func(f *frame, _ int64, payload []byte) {
			if _, live := j.opt.Live(f.stream); live && checksum(payload) == f.payloadCRC {
				each(Replayed{Stream: f.stream, Payload: payload})
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}
