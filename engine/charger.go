package engine

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

// chargerOptions are what a charger needs. All fields but Prefetch, Watched and the durations must be set.
type chargerOptions struct {
	Store     *store.Store
	Follow    *follow.Follower // keeps the stored configuration
	Alarm     *alarm.Alarm
	Namespace string
	CacheSize int           // buckets remembered
	Timeout   time.Duration // of one operation on the store; 0: unlimited
	DenialTTL time.Duration // how long a denial is repeated from memory; 0: not at all
	MaxHold   time.Duration // how long after its charge a lease may refund
	Prefetch  bool          // tokens of hot buckets are bought in advance; the store does I/O
	Pocket    pocket.Options
	Watched   bool // somebody wants reports that nobody but an observer does

	Now   func() int64                               // the clock, in ns since the Unix epoch
	Sleep func(context.Context, time.Duration) error // returns ctx's error if that ends first
	Go    func(func(context.Context)) bool           // runs a function in the background; false if it does not, because the limiter is closed
	Start func(func(context.Context))                // is Go for what must be done also while the limiter closes

	CheckLimits   func(field string, limits []bucket.Limit) error // returns what is wrong with the limits of a request
	TooManyLimits func(n int) error                               // is the error of a request that would bring a bucket to n limits, which are too many
	Report        func(context.Context, report)                   // is told what happens
}

// charger charges the buckets of one namespace. Safe for concurrent use.
type charger struct {
	chargerOptions // do not change

	noIO      bool
	noRegimes bool // the token check needs no regime: the store knows the greater of two numbers
	cache     *cache
	limitSets limitset.Cache
	configs   configCache
	flights   singleflight.Group // configuration being read
	policy    atomic.Uint32      // the policy last seen stored for the system
	singles   sync.Pool          // of *single

	// settleOwed settles what the desk of a bucket has left when it ended: amounts by position in set. Set before the first use.
	settleOwed func(b *bucketState, set *limitset.Set, owed pocket.Owed)
}

// newCharger returns a charger, whose settleOwed is to be set.
func newCharger(o chargerOptions) *charger {
	caps := o.Store.Capabilities()
	k := &charger{chargerOptions: o, noIO: caps.NoIO, cache: newCache(o.CacheSize)}
	// bbolt knows the greater of two numbers, too, but is not asked for it: one process guesses right nearly always, and
	// the writes that DynamoDB gets are then tested without DynamoDB.
	k.noRegimes = caps.Max && caps.NoIO
	k.singles.New = func() any {
		s := new(single)
		k.join(&s.common, s.charge[:])
		return s
	}
	return k
}

// report is something that happens to a bucket.
type report struct {
	Kind   reportKind
	Bucket bucketID
	Now    int64            // the time of an ahead report's charge, ns since the Unix epoch
	Ahead  time.Duration    // by which a writer's clock is ahead of this one
	Bytes  int              // of a large record
	Tokens map[string]int64 // by limit: what is lost
	Err    error            // what has failed, nil if nothing
}

// reportKind is what happens.
type reportKind uint8

// The kinds of reports.
const (
	reportContention reportKind = iota // others write the bucket too fast for it to be converted
	reportAhead                        // the bucket was written by a clock that is far ahead
	reportLarge                        // the bucket costs more than one write unit; only if somebody watches
	reportRefresh                      // configuration could not be read in the background
	reportRefundLost                   // tokens that were to be refunded may stay charged
	reportUsageLost                    // usage may not be counted in the store
)

// single is the charge of one bucket that is not part of an acquire's path: for several callers, or for a settlement.
type single struct {
	common
	charge [1]bucketCharge
}

// single returns a charge of its own for a bucket. It must be released.
func (k *charger) single(b *bucketState, conf *config, now int64, root, noRegimes bool) *single {
	s := k.singles.Get().(*single)
	s.now, s.consume, s.limits, s.override = now, nil, nil, nil
	s.charge[0].begin(b, conf, root, noRegimes)
	return s
}

// release gives a charge of its own back to the pool.
func (k *charger) release(s *single) {
	if s.end() {
		k.singles.Put(s)
	}
}
