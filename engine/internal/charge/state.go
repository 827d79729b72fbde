package charge

import (
	"sync/atomic"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/schema"
	"github.com/zeroae/zae-limiter-go/internal/spin"
)

// State is what this process knows of one bucket: its key, its configuration and its last seen record. All of it may
// be out of date: the conditions of the next write find that out.
type State struct {
	ID         ID
	partition  string                       // of the key
	Config     atomic.Pointer[Config]       // nil: to be read
	Seq        atomic.Uint64                // for follow.Follower.Fresh, which tells whether Config can be used
	loaded     atomic.Int64                 // when all of Config was last read at once, ns since the Unix epoch, on the limiter's clock; 0: it was not
	brought    atomic.Pointer[limitset.Set] // what the last request with limits of its own brought
	renewed    atomic.Bool                  // somebody reads Config again already
	converting atomic.Bool                  // some caller of this process converts the bucket, and others wait for it
	used       atomic.Bool                  // since the cache last looked for one to drop
	dropped    atomic.Bool                  // no longer in the cache
	epoch      atomic.Uint32                // counts own changes of the configuration, and own resets; changes under lock
	lock       spin.Lock                    // guards what follows; nothing waits under it
	memo       backend.Memo                 // the store's, if it gave any
	desk       *Desk                        // where callers meet that charge the bucket; nil: nobody charges it
	seen       lastSeen
}

// StateAt finds or makes the state of a bucket; the names of a new one are checked.
func (k *Charger) StateAt(id *ID) (*State, error) {
	if b := k.States.Get(id); b != nil {
		return b, nil
	}
	if err := k.CheckID(id.Entity, id.Resource); err != nil {
		return nil, err
	}
	key, _ := schema.Bucket(k.Namespace, id.Entity, id.Resource)
	return k.States.add(&State{ID: *id, partition: key.Partition}), nil
}

// Current returns the state by which others decide now: the one that the cache remembers, or b if it remembers none.
func (k *Charger) Current(b *State) *State {
	if b.dropped.Load() {
		if now := k.States.Get(&b.ID); now != nil {
			return now
		}
	}
	return b
}

// Key is that of the state's bucket.
func (k *Charger) Key(b *State) backend.Key {
	return schema.BucketAt(k.Namespace, b.partition)
}

// forget makes the next user read the configuration, and drops what denials from memory rest on.
func (b *State) forget() {
	b.lock.Lock()
	b.epoch.Add(1)
	b.Config.Store(nil)
	b.seen.at = 0
	b.desk = nil // a verdict that is made there may be older than the change
	b.lock.Unlock()
}

// store remembers the configuration, unless it was changed by this process since epoch, or one of a later sequence number is
// known. read is when all of it was read at once, 0 if it was not.
func (b *State) store(c *Config, seq uint64, read int64, epoch uint32) (current bool) {
	b.lock.Lock()
	defer b.lock.Unlock()
	if b.epoch.Load() != epoch || seq < b.Seq.Load() {
		return false
	}
	if read != 0 || c != b.Config.Load() {
		b.loaded.Store(read)
	}
	b.Config.Store(c)
	b.Seq.Store(seq) // last, so that whoever sees it sees Config
	return true
}

// LastSet is the limit set of the last seen record, nil if there is none.
func (b *State) LastSet() *limitset.Set {
	b.lock.Lock()
	defer b.lock.Unlock()
	return b.seen.set
}
