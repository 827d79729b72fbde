package charge

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/alarm"
	"github.com/zeroae/zae-limiter-go/engine/internal/follow"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/internal/pocket"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
)

// Options are what a charger needs. All fields but Prefetch, Watched and the durations must be set.
type Options struct {
	Store     *store.Store     // has the buckets
	Follow    *follow.Follower // keeps the stored configuration
	Alarm     *alarm.Alarm     // calls desks when something is due
	Namespace string           // of the buckets
	CacheSize int              // buckets remembered
	Timeout   time.Duration    // of one operation on the store; 0: unlimited
	DenialTTL time.Duration    // how long a denial is repeated from memory; 0: not at all
	MaxHold   time.Duration    // how long after its charge a lease may refund
	Prefetch  bool             // tokens of hot buckets are bought in advance; the store does I/O
	Pocket    pocket.Options   // how hot buckets are shared
	Watched   bool             // somebody wants reports of large records, which cost time to find

	Now   func() int64                               // the clock, in ns since the Unix epoch
	Sleep func(context.Context, time.Duration) error // returns ctx's error if that ends first
	Go    func(func(context.Context)) bool           // runs a function in the background; false if it does not, because the limiter is closed
	Start func(func(context.Context))                // is Go for what must be done also while the limiter closes

	CheckID       func(entity, resource string) error             // returns what is wrong with the names of a bucket
	CheckLimits   func(field string, limits []bucket.Limit) error // returns what is wrong with the limits of a request
	TooManyLimits func(n int) error                               // is the error of a request that would bring a bucket to n limits, which are too many
	Report        func(context.Context, Report)                   // is told what happens
}

// Charger charges the buckets of one namespace. Safe for concurrent use.
type Charger struct {
	Options // do not change

	NoIO      bool // the store's: its calls are short, and no reply is ever lost
	NoRegimes bool // the token check needs no regime: the store knows the greater of two numbers
	States    *Cache
	LimitSets limitset.Cache
	Policy    atomic.Uint32 // the policy last seen stored for the system
	configs   configCache
	flights   singleflight.Group // configuration being read
	singles   sync.Pool          // of *Single

	// SettleOwed settles what the desk of a bucket has left when it ended: amounts by position in set. Set before the first use.
	SettleOwed func(b *State, set *limitset.Set, owed pocket.Owed)
}

// New returns a charger, whose SettleOwed is to be set.
func New(o Options) *Charger {
	caps := o.Store.Capabilities()
	k := &Charger{Options: o, NoIO: caps.NoIO, States: newCache(o.CacheSize)}
	// bbolt knows the greater of two numbers, too, but is not asked for it: one process guesses right nearly always, and
	// the writes that DynamoDB gets are then tested without DynamoDB.
	k.NoRegimes = caps.Max && caps.NoIO
	k.singles.New = func() any {
		s := new(Single)
		k.Join(&s.Attempt, s.Charge[:])
		return s
	}
	return k
}

// Report is something that happens to a bucket.
type Report struct {
	Kind   Kind
	Bucket ID
	Now    int64            // the time of an ahead report's charge, ns since the Unix epoch
	Ahead  time.Duration    // by which a writer's clock is ahead of this one
	Bytes  int              // of a large record
	Tokens map[string]int64 // by limit: what is lost
	Err    error            // what has failed, nil if nothing
}

// Kind is what happens.
type Kind uint8

// The kinds of reports.
const (
	Contention    Kind = iota // others write the bucket too fast for it to be converted
	ClockAhead                // the bucket was written by a clock that is far ahead
	LargeRecord               // the bucket costs more than one write unit; only if somebody watches
	RefreshFailed             // configuration could not be read in the background
	RefundLost                // tokens that were to be refunded may stay charged
	UsageLost                 // usage may not be counted in the store
)

// Single is the charge of one bucket that is not part of an acquire's path: for several callers, or for a settlement.
type Single struct {
	Attempt
	Charge [1]Charge
}

// single returns a charge of its own for a bucket. It must be released.
func (k *Charger) single(b *State, conf *Config, now int64, root bool) *Single {
	s := k.singles.Get().(*Single)
	s.Now, s.Consume, s.Limits, s.Override = now, nil, nil, nil
	s.Charge[0].Begin(b, conf, root)
	return s
}

// Release gives a charge of its own back to the pool.
func (k *Charger) Release(s *Single) {
	if s.End() {
		k.singles.Put(s)
	}
}
