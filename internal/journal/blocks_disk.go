package journal

import (
	"fmt"
	"log/slog"
	"path"
	"sync"

	"github.com/narumq/naru/internal/vfs"
)

// diskCache keeps blocks in one file, in places of blockBytes each, that are used in turn. What is where is only in memory: a
// file of an earlier process is begun anew. Nothing depends on it. A block is checked against its checksum; one that cannot be
// read, or not written, is one that is not there.
type diskCache struct {
	file   vfs.File
	places int
	log    *slog.Logger
	queue  chan diskBlock

	mu     sync.Mutex
	byKey  map[blockKey]int // guarded by mu
	placed []diskPlace      // guarded by mu: by place
	next   int              // guarded by mu: the place that is used next
	failed bool             // guarded by mu: the last write did not succeed
}

type diskPlace struct {
	key   blockKey
	bytes int
	crc   uint32
}

type diskBlock struct {
	key  blockKey
	data []byte
}

// Limits of the cache on disk.
const (
	diskQueueMax     = 256                    // blocks that wait to be written; more are left out
	diskCacheFile    = "blocks.cache"         // the only file in its directory
	diskBytesDefault = 4 << 30                // where there is a directory
	diskPlacesMax    = (1 << 44) / blockBytes // 16 TiB
)

// newDiskCache begins a cache in dir, which is the process's alone.
func newDiskCache(fs vfs.FS, dir string, bytesMax int64, log *slog.Logger) (*diskCache, error) {
	places := min(bytesMax/blockBytes, diskPlacesMax)
	if places < 1 {
		return nil, fmt.Errorf("a cache of %d bytes on disk: want at least %d", bytesMax, blockBytes)
	}
	if err := fs.MkdirAll(dir); err != nil {
		return nil, err
	}
	name := path.Join(dir, diskCacheFile)
	file, err := fs.Create(name)
	if err != nil {
		if err = fs.Remove(name); err == nil {
			file, err = fs.Create(name)
		}
	}
	if err != nil {
		return nil, err
	}
	return &diskCache{
		file: file, places: int(places), log: log, queue: make(chan diskBlock, diskQueueMax), byKey: make(map[blockKey]int),
	}, nil
}

// offer hands a block over to be written, if there is room in the queue. data must not change any more.
func (d *diskCache) offer(key blockKey, data []byte) {
	select {
	case d.queue <- diskBlock{key, data}:
	default:
	}
}

// run writes blocks until done is closed, then closes the file.
func (d *diskCache) run(done <-chan struct{}) {
	for {
		select {
		case <-done:
			d.mu.Lock()
			clear(d.byKey)
			d.mu.Unlock()
			d.file.Close()
			return
		case b := <-d.queue:
			d.write(b)
		}
	}
}

// write puts a block into the next place. It is listed afterwards only.
func (d *diskCache) write(b diskBlock) {
	d.mu.Lock()
	if _, known := d.byKey[b.key]; known {
		d.mu.Unlock()
		return
	}
	at := d.next
	d.next = (d.next + 1) % d.places
	if at < len(d.placed) {
		delete(d.byKey, d.placed[at].key)
		d.placed[at] = diskPlace{}
	} else {
		d.placed = append(d.placed, diskPlace{})
	}
	d.mu.Unlock()

	_, err := d.file.WriteAt(b.data, int64(at)*blockBytes)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil {
		d.placed[at] = diskPlace{b.key, len(b.data), checksum(b.data)}
		d.byKey[b.key] = at
	} else if !d.failed {
		d.log.Warn("the cache on disk cannot be written; it is left out", "err", err)
	}
	d.failed = err != nil
}

// get reads a block. Its place may be written anew meanwhile: the checksum tells.
func (d *diskCache) get(key blockKey) ([]byte, bool) {
	d.mu.Lock()
	at, ok := d.byKey[key]
	if !ok {
		d.mu.Unlock()
		return nil, false
	}
	p := d.placed[at]
	d.mu.Unlock()
	data := make([]byte, p.bytes)
	if n, _ := d.file.ReadAt(data, int64(at)*blockBytes); n < len(data) || checksum(data) != p.crc {
		d.forget(key)
		return nil, false
	}
	return data, true
}

func (d *diskCache) forget(key blockKey) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if at, ok := d.byKey[key]; ok {
		delete(d.byKey, key)
		d.placed[at] = diskPlace{}
	}
}

// used is how many bytes are listed.
func (d *diskCache) used() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return int64(len(d.byKey)) * blockBytes
}
