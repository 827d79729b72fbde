package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/num"
	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// wire notes the last write on its way to a store. It has no capabilities, whatever the store has.
type wire struct {
	backend.Backend
	last backend.Write
}

func (*wire) Capabilities() backend.Capabilities { return backend.Capabilities{} }

func (w *wire) Apply(ctx context.Context, writes []backend.Write, out []backend.Outcome) error {
	w.last = writes[0]
	w.last.Conds, w.last.Effects, w.last.Memo = slices.Clone(w.last.Conds), slices.Clone(w.last.Effects), nil
	return w.Backend.Apply(ctx, writes, out)
}

// quickWire is one to a store without I/O.
type quickWire struct{ wire }

func (*quickWire) Capabilities() backend.Capabilities {
	return backend.Capabilities{NoIO: true, Max: true}
}

// writesOf are the two writes that a limiter sends to such a store: the first of a bucket, and any later one. Limits
// are ample, so the later one holds however often it is made.
func writesOf(k kind, limits []engine.Limit) (first, later backend.Write, err error) {
	tap := &quickWire{wire{Backend: must(inMemory.openFunc(""))}}
	store := backend.Backend(tap)
	if k.bolt {
		store = &tap.wire
	}
	begun := time.Now() // the clock stands still, so that the later write adds to what is there, and holds again and again
	limiter, err := engine.New(store, &engine.Options{Now: func() time.Time { return begun }})
	if err != nil {
		return first, later, err
	}
	r := request(limits)
	r.Entity = entityAt(0, 0)
	_, err = limiter.Allow(background, r)
	first = tap.last
	_, err2 := limiter.Allow(background, r)
	return first, tap.last, errors.Join(err, err2, limiter.Close())
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// prepared is a store without a limiter: it is sent, again and again, the write that a limiter would send.
type prepared struct {
	*site
	later backend.Write
	memos []backend.Memo
}

func newPrepared(k kind, dir string, w workload, limits int) (*prepared, error) {
	s, err := openSite(k, dir, w)
	if err != nil {
		return nil, err
	}
	first, later, err := writesOf(k, ample[:limits])
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	if w.denied {
		later.Conds = append(later.Conds, backend.Cond{Slot: schema.L, Op: backend.Absent})
	}
	p := &prepared{site: s, later: later, memos: make([]backend.Memo, w.keys)}
	out := make([]backend.Outcome, chunk)
	for at := 0; at < w.keys; at += chunk {
		var writes []backend.Write
		for i := at; i < min(at+chunk, w.keys); i++ {
			write := first
			place := schema.PlaceOf(s.keys[0][i])
			write.Key, write.Index = s.keys[0][i], &place
			writes = append(writes, write)
		}
		if err := s.store.Apply(background, writes, out[:len(writes)]); err != nil {
			return nil, errors.Join(err, s.close())
		}
		for i := range writes {
			p.memos[at+i] = writes[i].Memo
		}
	}
	return p, nil
}

func (p *prepared) caller() asker {
	writes, out := []backend.Write{p.later}, make([]backend.Outcome, 1)
	w := &writes[0]
	w.Conds, w.Effects = slices.Clone(w.Conds), slices.Clone(w.Effects)
	nonceCond := slices.IndexFunc(w.Conds, func(c backend.Cond) bool { return c.Slot == schema.Nonce })
	nonceEffect := slices.IndexFunc(w.Effects, func(e backend.Effect) bool { return e.Slot == schema.Nonce })
	return func(key int) (bool, error) {
		w.Key, w.Memo = p.keys[0][key], p.memos[key]
		if nonceCond >= 0 {
			nonce := num.FromParts(0, rand.Uint64()|1)
			w.Conds[nonceCond].A, w.Effects[nonceEffect].Num = nonce, nonce
		}
		err := p.store.Apply(background, writes, out)
		return out[0].Applied, err
	}
}

// raw is what a program does that uses bbolt itself: per key two numbers, read, added to and stored.
type raw struct {
	db       *bbolt.DB
	keys     [][]byte
	makeFunc func(func(*bbolt.Tx) error) error // db.Update or db.Batch
}

const rawValue = 16

var rawBucket = []byte("records")

func newRaw(k kind, dir string, w workload, batch bool) (*raw, error) {
	db, err := bbolt.Open(filepath.Join(dir, "raw"), 0o600, &bbolt.Options{NoSync: k.noSync, FreelistType: bbolt.DefaultOptions.FreelistType})
	if err != nil {
		return nil, err
	}
	r := &raw{db: db, makeFunc: db.Update}
	if batch {
		r.makeFunc = db.Batch
	}
	for i := range w.keys {
		key, _ := schema.Bucket(namespace, entityAt(0, i), resource)
		r.keys = append(r.keys, []byte(key.Partition))
	}
	for at := 0; at < w.keys; at += chunk {
		err := db.Update(func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucketIfNotExists(rawBucket)
			for i := at; err == nil && i < min(at+chunk, w.keys); i++ {
				err = b.Put(r.keys[i], make([]byte, rawValue))
			}
			return err
		})
		if err != nil {
			return nil, errors.Join(err, db.Close())
		}
	}
	return r, nil
}

func (r *raw) caller() asker {
	return func(key int) (bool, error) {
		err := r.makeFunc(func(tx *bbolt.Tx) error {
			b, value := tx.Bucket(rawBucket), make([]byte, rawValue)
			copy(value, b.Get(r.keys[key]))
			for i := 0; i < rawValue; i += 8 {
				binary.BigEndian.PutUint64(value[i:], binary.BigEndian.Uint64(value[i:])+1)
			}
			return b.Put(r.keys[key], value)
		})
		return err == nil, err
	}
}

func (r *raw) taken(_ int, of []int) (taken []int64, err error) {
	err = r.db.View(func(tx *bbolt.Tx) error {
		for _, at := range of {
			taken = append(taken, int64(binary.BigEndian.Uint64(tx.Bucket(rawBucket).Get(r.keys[at]))))
		}
		return nil
	})
	return taken, err
}

func (r *raw) close() error { return r.db.Close() }
