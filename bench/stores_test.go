package bench

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/bolt"
	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

const (
	namespace = "default"
	resource  = "gpt-4"
)

var background = context.Background()

// kind is a kind of store.
type kind struct {
	name     string
	openFunc func(file string) (backend.Backend, error)
	bolt     bool
	noSync   bool
}

var (
	inMemory = kind{name: "memory", openFunc: func(string) (backend.Backend, error) { return memory.New(nil), nil }}
	unsynced = kind{name: "bolt-nosync", bolt: true, noSync: true, openFunc: func(file string) (backend.Backend, error) {
		return bolt.Open(file, &bolt.Options{NoSync: true})
	}}
	durable = kind{name: "bolt", bolt: true, openFunc: func(file string) (backend.Backend, error) { return bolt.Open(file, nil) }}
)

// site is a store with a bucket for every key.
type site struct {
	store backend.Backend
	keys  [][]backend.Key // of buckets, by level and position
	ids   []string        // of the entities at level 0
}

func openSite(k kind, dir string, w workload) (*site, error) {
	store, err := k.openFunc(filepath.Join(dir, "store"))
	if err != nil {
		return nil, err
	}
	s := &site{store: store}
	for level := range w.depth {
		var keys []backend.Key
		for i := range above(w.keys-1, level) + 1 {
			id := entityAt(level, i)
			if level == 0 {
				s.ids = append(s.ids, id)
			}
			key, _ := schema.Bucket(namespace, id, resource)
			keys = append(keys, key)
		}
		s.keys = append(s.keys, keys)
	}
	return s, nil
}

func entityAt(level, i int) string {
	return fmt.Sprintf("%s-%07d", [...]string{"user", "team", "org"}[level], i)
}

// chunk is how many records are read or written at a time where the time does not count.
const chunk = 1000

// taken reads how many acquires the buckets have seen.
func (s *site) taken(level int, of []int) ([]int64, error) {
	taken := make([]int64, 0, len(of))
	keys, records := make([]backend.Key, 0, chunk), make([]backend.Record, chunk)
	for len(of) > 0 {
		n := min(len(of), chunk)
		keys = keys[:0]
		for i, at := range of[:n] {
			keys = append(keys, s.keys[level][at])
			records[i].Reset(schema.BucketLayout)
		}
		if err := s.store.Read(background, keys, records[:n]); err != nil {
			return nil, err
		}
		for i := range n {
			taken = append(taken, records[i].Int64(schema.Acq))
		}
		of = of[n:]
	}
	return taken, nil
}

func (s *site) close() error { return s.store.Close() }

// boltFile is a file that bbolt has open.
type boltFile struct{ *os.File }

// commits is the number of the last transaction that was committed: the greater one of the file's two headers.
func (f *boltFile) commits() (id uint64, err error) {
	const atID = 16 + 48 // behind the page's own header; the headers are the first two pages
	for page := range int64(2) {
		var b [8]byte
		if _, err := f.ReadAt(b[:], page*int64(os.Getpagesize())+atID); err != nil {
			return 0, err
		}
		id = max(id, binary.NativeEndian.Uint64(b[:]))
	}
	return id, nil
}

// watched is a durable bbolt store whose file can be looked at once it is open.
func watched() (kind, *boltFile) {
	seen := new(boltFile)
	openFile := func(name string, flag int, perm os.FileMode) (*os.File, error) {
		f, err := os.OpenFile(name, flag, perm)
		seen.File = f
		return f, err
	}
	k := durable
	k.openFunc = func(file string) (backend.Backend, error) { return bolt.Open(file, &bolt.Options{OpenFile: openFile}) }
	return k, seen
}
