package main

import (
	"errors"
	"testing"
	"time"
)

func TestParsePosition(t *testing.T) {
	now := time.UnixMilli(1_000_000)
	for s, want := range map[string]position{
		"earliest":                  {kind: atEarliest},
		"beginning":                 {kind: atEarliest},
		"Latest":                    {kind: atLatest},
		"end":                       {kind: atLatest},
		"0":                         {atOffset, 0},
		"42":                        {atOffset, 42},
		"-10":                       {atTail, 10},
		"@5":                        {atTimestamp, 5},
		"-15s":                      {atTimestamp, 985_000},
		"2026-11-21T08:30:00Z":      {atTimestamp, 1_795_249_800_000},
		"2026-11-21T08:30:00+01:00": {atTimestamp, 1_795_246_200_000},
	} {
		if got, err := parsePosition(s, now); err != nil || got != want {
			t.Errorf("%q is %v, %v; want %v", s, got, err, want)
		}
	}
	for _, s := range []string{"", "tomorrow", "15s", "@", "@-1", "@x", "1.5", "2026-13-01"} {
		if got, err := parsePosition(s, now); err == nil {
			t.Errorf("%q is %v, want an error", s, got)
		}
	}
}

// A position is never outside the log.
func TestPositionInBounds(t *testing.T) {
	b := bounds{start: 10, end: 20}
	at := func(n int64) func() (int64, error) { return func() (int64, error) { return n, nil } }
	for _, c := range []struct {
		pos    position
		byTime func() (int64, error)
		want   int64
	}{
		{position{kind: atEarliest}, nil, 10},
		{position{kind: atLatest}, nil, 20},
		{position{atOffset, 15}, nil, 15},
		{position{atOffset, 5}, nil, 10},
		{position{atOffset, 25}, nil, 20},
		{position{atTail, 3}, nil, 17},
		{position{atTail, 100}, nil, 10},
		{position{atTimestamp, 1}, at(12), 12},
		{position{atTimestamp, 1}, at(-1), 20},
	} {
		if got, err := c.pos.in(b, c.byTime); err != nil || got != c.want {
			t.Errorf("%v is %d, %v; want %d", c.pos, got, err, c.want)
		}
	}
	broken := errors.New("broken")
	if _, err := (position{atTimestamp, 1}).in(b, func() (int64, error) { return 0, broken }); !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
}
