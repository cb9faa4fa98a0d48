package catalog

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// Snapshot is what exists at one moment. It never changes.
type Snapshot struct {
	byName []*Topic
	byID   []*Topic
}

func newSnapshot(topics []*Topic) *Snapshot {
	s := &Snapshot{byName: topics, byID: slices.Clone(topics)}
	slices.SortFunc(s.byName, func(a, b *Topic) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(s.byID, func(a, b *Topic) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return s
}

func (s *Snapshot) findName(name string) (int, bool) {
	return slices.BinarySearchFunc(s.byName, name, func(t *Topic, n string) int { return strings.Compare(t.Name, n) })
}

func (s *Snapshot) findID(id UUID) (int, bool) {
	return slices.BinarySearchFunc(s.byID, id, func(t *Topic, u UUID) int { return bytes.Compare(t.ID[:], u[:]) })
}

// Topics returns all topics, sorted by name. Do not change the slice.
func (s *Snapshot) Topics() []*Topic { return s.byName }

// Topic returns the topic of that name, or ErrUnknownTopic.
func (s *Snapshot) Topic(name string) (*Topic, error) {
	i, ok := s.findName(name)
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrUnknownTopic, shown(name))
	}
	return s.byName[i], nil
}

// TopicByID returns the topic with that id, or ErrUnknownTopic.
func (s *Snapshot) TopicByID(id UUID) (*Topic, error) {
	i, ok := s.findID(id)
	if !ok {
		return nil, fmt.Errorf("%w: id %s", ErrUnknownTopic, id)
	}
	return s.byID[i], nil
}

// with returns the snapshot with t in the place of the topic of its name, or
// added.
func (s *Snapshot) with(t *Topic) *Snapshot {
	n := &Snapshot{slices.Clone(s.byName), slices.Clone(s.byID)}
	if i, ok := n.findName(t.Name); ok {
		n.byName[i] = t
	} else {
		n.byName = slices.Insert(n.byName, i, t)
	}
	if i, ok := n.findID(t.ID); ok {
		n.byID[i] = t
	} else {
		n.byID = slices.Insert(n.byID, i, t)
	}
	return n
}

// without returns the snapshot without t, which is in it.
func (s *Snapshot) without(t *Topic) *Snapshot {
	n := &Snapshot{slices.Clone(s.byName), slices.Clone(s.byID)}
	is := func(o *Topic) bool { return o == t }
	n.byName = slices.DeleteFunc(n.byName, is)
	n.byID = slices.DeleteFunc(n.byID, is)
	return n
}
