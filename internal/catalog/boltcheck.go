package catalog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
)

// bbolt trusts the pages it maps: a damaged one makes it fault, loop, or write
// over live pages. So the structure of the file is verified before bbolt sees
// it; the values in it have checksums of their own. Every page that is reached
// is read once, which for a large catalog is some megabytes.
//
//	page    id 8 | flags 2 | count 2 | overflow pages 4 | elements | data
//	meta    magic 4 | version 4 | page size 4 | flags 4 | root page 8 |
//	        sequence 8 | free list page 8 | high water page 8 | txid 8 | FNV-1a 8
//	branch  position 4 | key size 4 | page 8                  (an element)
//	leaf    flags 4 | position 4 | key size 4 | value size 4  (an element)
//	bucket  root page 8 | sequence 8 | a leaf page if root is 0 (a leaf's value)
//
// Positions count from their element. Integers have the machine's byte order.
const (
	boltPageHeader = 16
	boltElement    = 16
	boltMetaBytes  = 64
	boltMagic      = 0xED0CDAED
	boltVersion    = 2
	boltBranch     = 0x01
	boltLeaf       = 0x02
	boltFreelist   = 0x10
	boltNoFreelist = 1<<64 - 1
	boltPageMin    = 1 << 10
	boltPageMax    = 1 << 24
	// boltDepthMax is more than a tree of any size that fits on a disk needs.
	boltDepthMax = 32
)

var native = binary.NativeEndian

type boltMeta struct{ pageBytes, root, freelist, high, txid uint64 }

type boltChecker struct {
	f         io.ReaderAt
	fileBytes int64
	boltMeta
	used []bool // by page
}

// checkBolt verifies the structure of a bbolt file. No other process may be
// writing to it.
func checkBolt(f io.ReaderAt, fileBytes int64) error {
	c := &boltChecker{f: f, fileBytes: fileBytes}
	if err := c.findMeta(); err != nil {
		return err
	}
	if c.high < 4 || c.high > uint64(fileBytes)/c.pageBytes {
		return fmt.Errorf("%d bytes, %d pages of %d are in use: the end is missing", fileBytes, c.high, c.pageBytes)
	}
	c.used = make([]bool, c.high)
	if err := c.tree(c.root, nil, &boltKeys{buckets: true}, 0); err != nil {
		return err
	}
	return c.freePages()
}

// findMeta takes the newer of the two meta pages, as bbolt does: the other is
// what a crash while writing it falls back to.
func (c *boltChecker) findMeta() error {
	first, ok := c.readMeta(0)
	if ok {
		c.boltMeta = first
		if second, ok := c.readMeta(int64(first.pageBytes)); ok && second.txid > first.txid {
			c.boltMeta = second
		}
		return nil
	}
	for size := int64(boltPageMin); size <= boltPageMax; size *= 2 {
		if second, ok := c.readMeta(size); ok && int64(second.pageBytes) == size {
			c.boltMeta = second
			return nil
		}
	}
	return errors.New("neither meta page is valid")
}

func (c *boltChecker) readMeta(at int64) (boltMeta, bool) {
	var b [boltPageHeader + boltMetaBytes]byte
	if n, _ := c.f.ReadAt(b[:], at); n < len(b) {
		return boltMeta{}, false
	}
	m := b[boltPageHeader:]
	sum := fnv.New64a()
	sum.Write(m[:boltMetaBytes-8])
	meta := boltMeta{pageBytes: uint64(native.Uint32(m[8:])), root: native.Uint64(m[16:]),
		freelist: native.Uint64(m[32:]), high: native.Uint64(m[40:]), txid: native.Uint64(m[48:])}
	ok := native.Uint32(m) == boltMagic && native.Uint32(m[4:]) == boltVersion &&
		native.Uint64(m[56:]) == sum.Sum64() &&
		meta.pageBytes >= boltPageMin && meta.pageBytes <= boltPageMax && meta.pageBytes&(meta.pageBytes-1) == 0
	return meta, ok
}

// page reads a page with its overflow, and marks it as used.
func (c *boltChecker) page(id uint64) (b []byte, err error) {
	if id < 2 || id >= c.high {
		return nil, fmt.Errorf("page %d does not exist", id)
	}
	var head [boltPageHeader]byte
	if _, err := c.f.ReadAt(head[:], int64(id*c.pageBytes)); err != nil {
		return nil, fmt.Errorf("page %d: %w", id, err)
	}
	pages := 1 + uint64(native.Uint32(head[12:]))
	if native.Uint64(head[:]) != id || pages > c.high-id {
		return nil, fmt.Errorf("page %d has the number %d and %d pages", id, native.Uint64(head[:]), pages)
	}
	for i := id; i < id+pages; i++ {
		if c.used[i] {
			return nil, fmt.Errorf("page %d is used twice", i)
		}
		c.used[i] = true
	}
	b = make([]byte, pages*c.pageBytes)
	if _, err := c.f.ReadAt(b, int64(id*c.pageBytes)); err != nil {
		return nil, fmt.Errorf("page %d: %w", id, err)
	}
	return b, nil
}

// boltKeys holds the order of one bucket's keys, which lookups rely on.
type boltKeys struct {
	last    []byte // of the leaves so far; nil before the first
	buckets bool   // its values are buckets: the root
}

func (k *boltKeys) next(key []byte) bool {
	if k.last != nil && bytes.Compare(k.last, key) >= 0 {
		return false
	}
	k.last = bytes.Clone(key)
	if k.last == nil {
		k.last = []byte{}
	}
	return true
}

// tree verifies the pages below id, whose keys are not below least.
func (c *boltChecker) tree(id uint64, least []byte, keys *boltKeys, depth int) error {
	if depth > boltDepthMax {
		return fmt.Errorf("page %d is %d pages deep", id, depth)
	}
	b, err := c.page(id)
	if err != nil {
		return err
	}
	switch native.Uint16(b[8:]) {
	case boltLeaf:
		err = c.leaf(b, least, keys)
	case boltBranch:
		err = c.branch(b, least, keys, depth)
	default:
		err = fmt.Errorf("is of type %#x", native.Uint16(b[8:]))
	}
	if err != nil {
		return fmt.Errorf("page %d: %w", id, err)
	}
	return nil
}

// boltElements calls fn with each element of a page and the data it points at;
// size says where from the element and how long. Data lies in order of elements
// without gaps, so a wrong count shows.
func boltElements(b []byte, size func(e []byte) (pos, n uint64), fn func(e, data []byte) error) error {
	count := uint64(native.Uint16(b[10:]))
	at := boltPageHeader + count*boltElement
	for i := range count {
		start := boltPageHeader + i*boltElement
		if start+boltElement > uint64(len(b)) {
			return fmt.Errorf("%d elements do not fit", count)
		}
		e := b[start : start+boltElement]
		pos, n := size(e)
		if start+pos != at || at+n > uint64(len(b)) {
			return fmt.Errorf("element %d of %d is at %d with %d bytes", i, count, start+pos, n)
		}
		if err := fn(e, b[at:at+n]); err != nil {
			return err
		}
		at += n
	}
	return nil
}

func (c *boltChecker) leaf(b, least []byte, keys *boltKeys) error {
	size := func(e []byte) (pos, n uint64) {
		return uint64(native.Uint32(e[4:])), uint64(native.Uint32(e[8:])) + uint64(native.Uint32(e[12:]))
	}
	return boltElements(b, size, func(e, data []byte) error {
		key, value := data[:native.Uint32(e[8:])], data[native.Uint32(e[8:]):]
		if bytes.Compare(key, least) < 0 || !keys.next(key) {
			return fmt.Errorf("key %q is out of order", key)
		}
		if bucket := native.Uint32(e) != 0; bucket != keys.buckets || native.Uint32(e) > 1 {
			return fmt.Errorf("key %q has flags %#x", key, native.Uint32(e))
		}
		if keys.buckets {
			return c.bucket(value)
		}
		return nil
	})
}

func (c *boltChecker) bucket(value []byte) error {
	if len(value) < 16 {
		return fmt.Errorf("a bucket of %d bytes", len(value))
	}
	if root := native.Uint64(value); root != 0 {
		return c.tree(root, nil, &boltKeys{}, 1)
	}
	inline := value[16:]
	if len(inline) < boltPageHeader || native.Uint16(inline[8:]) != boltLeaf {
		return errors.New("a bucket without a page")
	}
	return c.leaf(inline, nil, &boltKeys{})
}

func (c *boltChecker) branch(b, least []byte, keys *boltKeys, depth int) error {
	if native.Uint16(b[10:]) == 0 {
		return errors.New("has no children")
	}
	size := func(e []byte) (pos, n uint64) { return uint64(native.Uint32(e)), uint64(native.Uint32(e[4:])) }
	return boltElements(b, size, func(e, key []byte) error {
		if bytes.Compare(key, least) < 0 || keys.last != nil && bytes.Compare(keys.last, key) >= 0 {
			return fmt.Errorf("key %q is out of order", key)
		}
		return c.tree(native.Uint64(e[8:]), key, keys, depth+1)
	})
}

// freePages verifies that what bbolt will write over is not in use.
func (c *boltChecker) freePages() error {
	if c.freelist == boltNoFreelist {
		return nil
	}
	b, err := c.page(c.freelist)
	if err != nil {
		return fmt.Errorf("free list: %w", err)
	}
	n, ids := uint64(native.Uint16(b[10:])), b[boltPageHeader:]
	if n == 0xffff {
		n, ids = native.Uint64(ids), ids[8:]
	}
	if native.Uint16(b[8:]) != boltFreelist || n > uint64(len(ids)/8) {
		return fmt.Errorf("free list: page of type %#x with %d entries", native.Uint16(b[8:]), n)
	}
	for i := range n {
		id := native.Uint64(ids[8*i:])
		if id < 2 || id >= c.high || c.used[id] {
			return fmt.Errorf("free list: page %d is not free", id)
		}
		c.used[id] = true
	}
	return nil
}
