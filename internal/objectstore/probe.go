package objectstore

import (
	"context"
	"errors"
	"fmt"
)

// probeRacers is how many put the same name at once.
const probeRacers = 4

// Probe proves, as far as one can from outside, that a store keeps promise 2: it
// puts a name twice, and lets several put another name at once. name, a key that
// nobody has used, is the beginning of both. The objects are removed again, if
// that can be. ErrNoConditions if the store breaks the promise; any other error
// tells nothing about it.
func Probe(ctx context.Context, s Store, name string) error {
	twice, race := name+"-twice", name+"-race"
	defer func() { _ = s.Delete(context.WithoutCancel(ctx), twice, race) }() // a small object left over harms nobody
	if err := probeTwice(ctx, s, twice); err != nil {
		return err
	}
	return probeRace(ctx, s, race)
}

func probeTwice(ctx context.Context, s Store, key string) error {
	if err := s.Put(ctx, key, []byte("1")); err != nil {
		return fmt.Errorf("objectstore: probing for conditional writes: %w", err)
	}
	err := s.Put(ctx, key, []byte("2"))
	switch {
	case err == nil:
		return fmt.Errorf("%w: the second PUT of %s with If-None-Match: * succeeded", ErrNoConditions, key)
	case !errors.Is(err, ErrExists):
		return fmt.Errorf("objectstore: probing for conditional writes: %w", err)
	}
	body, err := s.Get(ctx, key, 0, -1)
	if err != nil {
		return fmt.Errorf("objectstore: probing for conditional writes: %w", err)
	}
	if string(body) != "1" {
		return fmt.Errorf("%w: a PUT of %s with If-None-Match: * was refused, and yet written", ErrNoConditions, key)
	}
	return nil
}

func probeRace(ctx context.Context, s Store, key string) error {
	errs := make(chan error, probeRacers)
	for i := range probeRacers {
		go func() { errs <- s.Put(ctx, key, []byte{byte('0' + i)}) }()
	}
	var won, lost int
	var unknown error
	for range probeRacers {
		err := <-errs
		switch {
		case err == nil:
			won++
		case errors.Is(err, ErrExists):
			lost++
		default:
			unknown = err
		}
	}
	switch {
	case won > 1:
		return fmt.Errorf("%w: %d of %d simultaneous PUTs of %s with If-None-Match: * succeeded", ErrNoConditions, won, probeRacers, key)
	case lost == 0:
		return fmt.Errorf("objectstore: probing for conditional writes: %w", unknown)
	}
	return nil // also with some unknown: one succeeded or did so unheard, and another was refused
}
