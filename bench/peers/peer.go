package peers

import (
	"fmt"
	"time"
)

// peer is a limiter of many keys with two limits each.
type peer interface {
	// Allow2 takes one token from both limits of key and reports whether both had it.
	Allow2(key int) bool
	// Close stops what the peer runs in the background.
	Close()
}

// limit is a bucket of Capacity tokens, full at first, which gains one token per Every.
type limit struct {
	Capacity int64
	Every    time.Duration
}

// window is the time in which an empty bucket fills: the period of a peer which counts in windows.
func (l limit) window() time.Duration { return time.Duration(l.Capacity) * l.Every }

// limits are the two limits of every key.
type limits [2]limit

// ample never denies within a run, and is never full after the first decision.
var ample = limit{Capacity: 1 << 40, Every: time.Millisecond}

// frozen admits n and, within a run, nothing more.
func frozen(n int64) limit { return limit{Capacity: n, Every: 24 * time.Hour} }

// kind says what a contender is compared as.
type kind uint8

const (
	kindPeer kind = iota
	kindOurs
	kindFloor
	kindNothing
)

// Algorithms, as the tables name them.
const (
	tokenBucket   = "token bucket"
	gcra          = "GCRA"
	fixedWindow   = "fixed window"
	slidingWindow = "sliding window"
	spacing       = "spacing"
)

// contender is one way of taking two limits per decision.
type contender struct {
	name      string
	algorithm string
	kind      kind
	noBurst   bool // has no capacity: one token per interval
	paired    bool // finds both limits with one look-up: less than two calls by key
	openFunc  func(limits) peer
}

// Whom a ratio is taken to.

// asksTwice is a peer as it comes: each limit is a call of its own, by the key. Who knows no burst is shown only.
func (c contender) asksTwice() bool { return !c.noBurst && !c.paired }

// isBucket also refills continuously, as ours does.
func (c contender) isBucket() bool {
	return c.asksTwice() && (c.algorithm == tokenBucket || c.algorithm == gcra)
}

// isAny is the same with both limits of a key behind one look-up of the caller's own.
func (c contender) isAny() bool { return !c.noBurst }

// contenders are all that run here. The order is that of a round.
var contenders = []contender{
	{name: "nothing", kind: kindNothing, openFunc: newNothing},
	{name: "floor", algorithm: gcra, kind: kindFloor, openFunc: newFloor},
	{name: "xtime-sharded", algorithm: tokenBucket, openFunc: newXtimeSharded},
	{name: "xtime-sharded-one-clock", algorithm: tokenBucket, openFunc: newXtimeOneClock},
	{name: "xtime-syncmap", algorithm: tokenBucket, openFunc: newXtimeSyncMap},
	{name: "xtime-paired", algorithm: tokenBucket, paired: true, openFunc: newXtimePaired},
	{name: "xtime-reserve-cancel", algorithm: tokenBucket, paired: true, openFunc: newXtimeReserve},
	{name: "juju-sharded", algorithm: tokenBucket, openFunc: newJujuSharded},
	{name: "juju-syncmap", algorithm: tokenBucket, openFunc: newJujuSyncMap},
	{name: "juju-paired", algorithm: tokenBucket, paired: true, openFunc: newJujuPaired},
	{name: "throttled", algorithm: gcra, openFunc: newThrottled},
	{name: "failsafe-bursty-sharded", algorithm: fixedWindow, openFunc: newBurstySharded},
	{name: "failsafe-bursty-syncmap", algorithm: fixedWindow, openFunc: newBurstySyncMap},
	{name: "failsafe-bursty-paired", algorithm: fixedWindow, paired: true, openFunc: newBurstyPaired},
	{name: "failsafe-smooth", algorithm: spacing, noBurst: true, openFunc: newSmooth},
	{name: "sethvargo", algorithm: fixedWindow, openFunc: newSethvargo},
	{name: "httprate", algorithm: slidingWindow, openFunc: newHTTPRate},
}

// nothing admits everything: what is left is the loop.
type nothing struct{ names names }

func newNothing(limits) peer { return &nothing{names: keyNames()} }

func (n *nothing) Allow2(key int) bool { return n.names.at(key) != "" }
func (*nothing) Close()                {}

// must ends the run on an error: a peer that does not answer has no speed.
func must(err error) {
	if err != nil {
		panic(fmt.Errorf("peers: %w", err))
	}
}
