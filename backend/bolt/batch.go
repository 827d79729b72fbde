package bolt

import (
	"bytes"

	"go.etcd.io/bbolt"

	"github.com/zeroae/zae-limiter-go/backend"
)

// batch is the work of one transaction. It keeps the records that it has read, so that many writes on one record read,
// encode and store it once.
type batch struct {
	tx      *bbolt.Tx
	records *bbolt.Bucket
	queue   *bbolt.Bucket // the feed; nil if none is kept

	states map[string]*state // by stored key
	order  []*state          // in the order of arrival, so that a run can be repeated
	fed    []fed
	taken  [][]byte // numbers of changes that were taken
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
	late   bool           // its time in the bucket expiry has passed and is to be moved
	fields []byte         // encoded, unless record is decoded
	record backend.Record // decoded, if it has a layout
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

// index and expiry are opened when they are needed: most writes touch neither.
func (b *batch) index() *bbolt.Bucket  { return b.tx.Bucket(indexBucket) }
func (b *batch) expiry() *bbolt.Bucket { return b.tx.Bucket(expiryBucket) }

// load returns the record as the batch has left it.
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

// commonNumbers is how many numbers a bucket with two limits has.
const commonNumbers = 10

// as returns the record, decoded for a layout.
func (st *state) as(l *backend.Layout) (*backend.Record, error) {
	has := st.record.Layout()
	if has == l {
		return &st.record, nil
	}
	if has != nil && st.there {
		st.fields = appendFields(nil, &st.record) // two layouts in one batch, which differ only in their address
	}
	st.record.Reset(l)
	if st.there {
		if st.record.Span() == 0 {
			st.record.Reserve(make([]backend.Num, 0, commonNumbers)) // in one allocation
		}
		if err := decodeFields(st.fields, &st.record); err != nil {
			st.record = backend.Record{}
			return nil, err
		}
		st.record.SetExpiry(st.now.expiry)
	}
	return &st.record, nil
}

// encode returns the record as it would be stored now, or nil if there is none.
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

// change calls f, which changes the record, and notes the change for the feed.
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

// applyTo applies a write to rec, which as has decoded, in place.
func (b *batch) applyTo(st *state, w *backend.Write, rec *backend.Record) (err error) {
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

// adopt sets presence, expiry and place after the effects of a write.
func (st *state) adopt(w *backend.Write) {
	st.there, st.now.expiry = true, st.record.Expiry()
	if w.Index != nil {
		st.now.place = *w.Index
	}
}

func (st *state) remove() {
	st.record, st.fields, st.there, st.now = backend.Record{}, nil, false, head{expiry: backend.NoExpiry}
}

// flush stores what has changed in the transaction, and reports whether anything has.
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

// dueNow returns the time for the bucket expiry. It keeps the one that is there as long as the record does not expire
// before it, so that a record whose expiry is put off with each write is not moved each time.
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
