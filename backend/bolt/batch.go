package bolt

import (
	"bytes"

	"go.etcd.io/bbolt"

	"github.com/zeroae/zae-limiter-go/backend"
)

// batch is what one transaction does. It keeps the records that it has seen, so that many writes of one record read,
// encode and store it once.
type batch struct {
	tx      *bbolt.Tx
	records *bbolt.Bucket
	queue   *bbolt.Bucket // the feed; nil where none is kept

	states map[string]*state // by stored key
	order  []*state          // as they came, so that a run can be repeated
	fed    []fed
	taken  [][]byte // numbers of changes that were handed out
	stale  [][]byte // keys of the bucket expiry that belong to no record
	wrote  bool
}

// state is a record in a batch.
type state struct {
	key    backend.Key
	stored []byte // its key in the file
	old    []byte // the record in the file, nil for none; valid during the transaction
	was    head
	now    head
	there  bool
	dirty  bool           // may differ from old
	late   bool           // its instant in the bucket expiry lies behind, and is to be moved
	fields []byte         // encoded, where record is not decoded
	record backend.Record // decoded, where it has a layout
}

// fed is a change for the feed.
type fed struct{ key, before, after []byte }

func newBatch(tx *bbolt.Tx, feed bool) *batch {
	b := &batch{tx: tx, records: tx.Bucket(recordsBucket), states: map[string]*state{}}
	if feed {
		b.queue = tx.Bucket(feedBucket)
	}
	return b
}

// index and expiry are opened by those who need them: most writes touch neither.
func (b *batch) index() *bbolt.Bucket  { return b.tx.Bucket(indexBucket) }
func (b *batch) expiry() *bbolt.Bucket { return b.tx.Bucket(expiryBucket) }

// load finds the record as the batch has left it.
func (b *batch) load(k backend.Key) (*state, error) {
	stored := appendKey(make([]byte, 0, 128), k)
	if st := b.states[string(stored)]; st != nil {
		return st, nil
	}
	st := &state{key: k, stored: stored, old: b.records.Get(stored), was: head{expiry: backend.NoExpiry}}
	if st.there = st.old != nil; st.there {
		var err error
		if st.was, st.fields, err = decodeHead(st.old); err != nil {
			return nil, err
		}
	}
	st.now = st.was
	b.states[string(stored)] = st
	b.order = append(b.order, st)
	return st, nil
}

// commonNumbers is how many numbers a record is likely to have: those of a bucket with two limits.
const commonNumbers = 10

// as decodes the record for a layout.
func (st *state) as(l *backend.Layout) (*backend.Record, error) {
	has := st.record.Layout()
	if has == l {
		return &st.record, nil
	}
	if has != nil && st.there {
		st.fields = appendFields(nil, &st.record) // two layouts in one batch; they are the same but for their address
	}
	st.record.Reset(l)
	if st.there {
		if st.record.Span() == 0 {
			st.record.Reserve(make([]backend.Num, 0, commonNumbers)) // at once, not one by one
		}
		if err := decodeFields(st.fields, &st.record); err != nil {
			st.record = backend.Record{}
			return nil, err
		}
		st.record.SetExpiry(st.now.expiry)
	}
	return &st.record, nil
}

// encode is the record as it would be stored now, nil for none.
func (st *state) encode() []byte {
	if !st.there {
		return nil
	}
	dst := appendHead(make([]byte, 0, 256), &st.now)
	if st.record.Layout() == nil {
		return append(dst, st.fields...)
	}
	return appendFields(dst, &st.record)
}

// change does f to the record, and notes the change for the feed.
func (b *batch) change(st *state, f func()) {
	if st.dirty = true; b.queue == nil {
		f()
		return
	}
	before := st.encode()
	f()
	if after := st.encode(); !bytes.Equal(before, after) {
		b.fed = append(b.fed, fed{st.stored, before, after})
	}
}

// enact lets a write happen on rec, the record that as decoded: in place.
func (b *batch) enact(st *state, w *backend.Write, rec *backend.Record) (err error) {
	if !w.Remove && len(w.Effects) == 0 {
		return nil
	}
	b.change(st, func() {
		if w.Remove {
			st.remove()
		} else if err = backend.Apply(rec, w); err == nil {
			st.adopt(w)
		}
	})
	return err
}

// adopt notes what effects mean besides values.
func (st *state) adopt(w *backend.Write) {
	st.there, st.now.expiry = true, st.record.Expiry()
	if w.Index != nil {
		st.now.place = *w.Index
	}
}

func (st *state) remove() {
	st.record, st.fields, st.there, st.now = backend.Record{}, nil, false, head{expiry: backend.NoExpiry}
}

// flush brings what changed into the transaction, and reports whether anything did.
func (b *batch) flush() (wrote bool, err error) {
	for _, st := range b.order {
		if st.dirty || st.late {
			if err := b.store(st); err != nil {
				return false, err
			}
		}
	}
	for _, f := range b.fed {
		n, err := b.queue.NextSequence()
		if err == nil {
			err = b.put(b.queue, sequence(n), appendString(appendString(appendString(nil, f.key), f.before), f.after))
		}
		if err != nil {
			return false, err
		}
	}
	for _, n := range b.taken {
		if err := b.drop(b.queue, n); err != nil {
			return false, err
		}
	}
	for _, due := range b.stale {
		if err := b.drop(b.expiry(), due); err != nil {
			return false, err
		}
	}
	return b.wrote, nil
}

func (b *batch) store(st *state) error {
	st.now.due = st.dueNow()
	now := st.encode()
	if bytes.Equal(st.old, now) && (st.old == nil) == (now == nil) {
		return nil
	}
	if st.was.place != st.now.place {
		if p := st.was.place; p.Partition != "" {
			if err := b.drop(b.index(), entry(st.key, p)); err != nil {
				return err
			}
		}
		if p := st.now.place; p.Partition != "" {
			if err := b.put(b.index(), entry(st.key, p), nil); err != nil {
				return err
			}
		}
	}
	if st.was.due != st.now.due {
		if due := st.was.due; due != 0 {
			if err := b.drop(b.expiry(), appendDue(nil, due, st.stored)); err != nil {
				return err
			}
		}
		if due := st.now.due; due != 0 {
			if err := b.put(b.expiry(), appendDue(nil, due, st.stored), nil); err != nil {
				return err
			}
		}
	}
	if now == nil {
		return b.drop(b.records, st.stored)
	}
	return b.put(b.records, st.stored, now)
}

// dueNow leaves the instant in the bucket expiry alone as long as the record does not expire before it: a record that
// is written all the time and lives on and on is not moved each time.
func (st *state) dueNow() backend.Expiry {
	switch {
	case !st.there || st.now.expiry == backend.NoExpiry:
		return 0
	case st.was.due == 0 || st.late || st.now.expiry < st.was.due:
		return st.now.expiry
	default:
		return st.was.due
	}
}

func (b *batch) put(bucket *bbolt.Bucket, key, value []byte) error {
	b.wrote = true
	return bucket.Put(key, value)
}

func (b *batch) drop(bucket *bbolt.Bucket, key []byte) error {
	b.wrote = true
	return bucket.Delete(key)
}
