package cluster

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/narumq/naru/internal/coord"
	"github.com/narumq/naru/internal/journal"
)

// WantPrefix begins the keys by which operators say what they want.
const WantPrefix = "want/"

const (
	placePrefix = WantPrefix + "place/" // a slot: the name of the process at which it is to be
	drainPrefix = WantPrefix + "drain/" // the name of a process that is to own nothing while another can
)

func placeKey(slot journal.SlotID) string { return fmt.Sprintf("%s%04d", placePrefix, slot) }

// wishes are those of operators. They name processes, not numbers: a broker that starts again is not bound by what was said of
// another one.
type wishes struct {
	places  map[journal.SlotID]string
	drained map[string]bool
}

func readWishes(kvs []coord.KV) wishes {
	w := wishes{map[journal.SlotID]string{}, map[string]bool{}}
	for _, kv := range kvs {
		if name, ok := strings.CutPrefix(kv.Key, drainPrefix); ok {
			w.drained[name] = true
		}
		number, ok := strings.CutPrefix(kv.Key, placePrefix)
		if slot, err := strconv.ParseUint(number, 10, 32); ok && err == nil {
			w.places[journal.SlotID(slot)] = string(kv.Value)
		}
	}
	return w
}

// Picture is all that the coordinator knows of who owns what, for operators.
type Picture struct {
	Identity
	Members []Seen
	Drained map[int32]bool           // members that are to own nothing while others can
	Owners  []SlotOwner              // by slot
	Places  map[journal.SlotID]int32 // slots that were moved, and the members to which
}

// ReadPicture asks a coordinator. ErrNoCluster says that it knows no cluster.
func ReadPicture(ctx context.Context, store coord.Store) (p Picture, err error) {
	id, there, err := ReadIdentity(ctx, store)
	switch {
	case err != nil:
		return p, err
	case !there:
		return p, ErrNoCluster
	}
	live, _, err := store.Range(ctx, LivePrefix)
	if err != nil {
		return p, err
	}
	want, _, err := store.Range(ctx, WantPrefix)
	if err != nil {
		return p, err
	}
	p = Picture{id, Members(live), map[int32]bool{}, owners(live, int(id.Slots)), map[journal.SlotID]int32{}}
	w := readWishes(want)
	for _, m := range p.Members {
		if w.drained[m.member.Name] {
			p.Drained[m.Node] = true
		}
		for slot, name := range w.places {
			if name == m.member.Name {
				p.Places[slot] = m.Node
			}
		}
	}
	return p, nil
}

// find returns a live broker by its number.
func find(ctx context.Context, store coord.Store, node int32) (Picture, Member, error) {
	p, err := ReadPicture(ctx, store)
	if err != nil {
		return p, Member{}, err
	}
	for _, m := range p.Members {
		if m.Node == node && m.member.Name != "" {
			return p, m.member, nil
		}
	}
	return p, Member{}, fmt.Errorf("%w: %d", ErrNoMember, node)
}

// Move says that a slot is to be at a broker, for as long as that process lives. Brokers read it when they look next.
func Move(ctx context.Context, store coord.Store, slot journal.SlotID, node int32) error {
	p, m, err := find(ctx, store, node)
	if err != nil {
		return err
	}
	if uint32(slot) >= p.Slots {
		return fmt.Errorf("%w: %d of %d", ErrNoSlot, slot, p.Slots)
	}
	return put(ctx, store, coord.Put(placeKey(slot), []byte(m.Name), 0))
}

// Unmove takes back what Move said of a slot.
func Unmove(ctx context.Context, store coord.Store, slot journal.SlotID) error {
	return put(ctx, store, coord.Delete(placeKey(slot)))
}

// Drain says that a broker is to own nothing while another can, for as long as that process lives. ErrNoHeir says that there is no
// other now, and that nothing was changed.
func Drain(ctx context.Context, store coord.Store, node int32) error {
	p, m, err := find(ctx, store, node)
	if err != nil {
		return err
	}
	heir, err := p.heir(node)
	if err != nil {
		return err
	}
	cond := []coord.Compare{coord.CreatedAt(memberKey(heir.Node), heir.created), coord.Absent(drainPrefix + heir.member.Name)}
	r, err := store.Txn(ctx, cond, []coord.Op{coord.Put(drainPrefix+m.Name, nil, 0)}, nil)
	if err == nil && !r.Succeeded {
		return fmt.Errorf("%w: broker %d was drained or left at this moment; try again", ErrNoHeir, heir.Node)
	}
	return err
}

// heir returns a broker that could take what another one has.
func (p *Picture) heir(node int32) (Seen, error) {
	var drained, unready []string
	for _, m := range p.Members {
		switch number := fmt.Sprint(m.Node); {
		case m.Node == node:
		case p.Drained[m.Node]:
			drained = append(drained, number)
		case !m.member.Ready:
			unready = append(unready, number)
		default:
			return m, nil
		}
	}
	list := func(nodes []string) string { return cmp.Or(strings.Join(nodes, ", "), "none") }
	return Seen{}, fmt.Errorf("%w: drained already: %s; not ready: %s; start another broker, or let a drained one own slots again with --undo",
		ErrNoHeir, list(drained), list(unready))
}

// Undrain takes back what Drain said.
func Undrain(ctx context.Context, store coord.Store, node int32) error {
	_, m, err := find(ctx, store, node)
	if err != nil {
		return err
	}
	return put(ctx, store, coord.Delete(drainPrefix+m.Name))
}

// Forget removes wishes that name no member, and named none when it was called before: gone is what it returned then, nil at first.
// One call is not enough, because a process whose lease ended under it comes back, and what was said of it holds on.
func Forget(ctx context.Context, store coord.Store, gone map[string]int64) (map[string]int64, error) {
	want, _, err := store.Range(ctx, WantPrefix)
	if err != nil {
		return gone, err
	}
	live, _, err := store.Range(ctx, LivePrefix) // after the wishes: whoever they name was there before them
	if err != nil {
		return gone, err
	}
	there := map[string]bool{"": true}
	for _, m := range Members(live) {
		there[m.member.Name] = true
	}
	missed := map[string]int64{}
	for _, kv := range want {
		switch {
		case there[process(kv)]:
		case gone[kv.Key] != kv.ModRevision:
			missed[kv.Key] = kv.ModRevision
		default:
			_, err := store.Txn(ctx, []coord.Compare{coord.ModifiedAt(kv.Key, kv.ModRevision)}, []coord.Op{coord.Delete(kv.Key)}, nil)
			if err != nil {
				return gone, err
			}
		}
	}
	return missed, nil
}

// process is the name in a wish, "" if this version does not know what the wish is about.
func process(kv coord.KV) string {
	if name, ok := strings.CutPrefix(kv.Key, drainPrefix); ok {
		return name
	}
	if strings.HasPrefix(kv.Key, placePrefix) {
		return string(kv.Value)
	}
	return ""
}

func put(ctx context.Context, store coord.Store, op coord.Op) error {
	_, err := store.Txn(ctx, nil, []coord.Op{op}, nil)
	return err
}
