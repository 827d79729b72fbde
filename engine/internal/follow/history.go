package follow

import (
	"crypto/rand"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/zeroae/zae-limiter-go/backend"
)

// MostAhead is how far the time in an event's id may be ahead of its writer's clock.
const MostAhead = time.Minute

const (
	apart       = MostAhead        // by which clocks may differ, and events may be late
	overlapKeys = 200              // known events that a look lists again, at most
	lookBack    = time.Hour        // how far a look goes back
	backEvery   = 10 * time.Minute // a look goes back so far
	known       = 4000             // events that are remembered
	mostBack    = known + 1000     // keys that a look lists that goes back
	mostOwn     = 1000             // own events that are waited for
)

// window is where a look begins to list.
type window struct {
	from   string
	back   bool // it goes back an hour
	wide   bool // it goes back three minutes, or farther, in full
	narrow bool // overlapKeys have made it narrower than a minute
}

// size is the most keys to list.
func (w *window) size() int {
	if w.wide {
		return mostBack
	}
	return backend.MaxPage
}

// history is what this process knows of the audit list. Safe for concurrent use: besides the look under way, writers take
// ids.
type history struct {
	lock    sync.Mutex
	begun   bool
	ids     []string         // known events that count, ascending: the last known of the last hour
	since   string           // events before it are forgotten; "" is no bound
	ahead   []string         // known events that are too far ahead, ascending
	own     map[string]int64 // events of this process that no look has shown yet, with the time when they were written
	back    int64            // when a look last went back an hour
	narrow  int64            // when a look was narrow for the first time since a look was wide; 0: none was
	lastOwn string
	entropy *ulid.MonotonicEntropy
}

// horizon is the first id that is too far ahead to count.
func horizon(now int64) string { return FirstID(millis(now) + apart.Milliseconds() + 1) }

func millis(now int64) int64 { return now / int64(time.Millisecond) }

// FirstID returns an id that is not greater than the ids of all events of this millisecond since the Unix epoch, and of later
// ones.
func FirstID(ms int64) string {
	var id ulid.ULID
	_ = id.SetTime(min(uint64(max(ms, 0)), ulid.MaxTime())) // fails only above MaxTime
	return id.String()
}

// idTime is when an id says that it was made, in ms since the Unix epoch.
func idTime(id string) int64 {
	u, err := ulid.ParseStrict(id)
	if err != nil {
		return 0
	}
	return int64(min(u.Time(), math.MaxInt64)) //nolint:gosec // ids have 48 bits of time
}

func (h *history) latest() string {
	if len(h.ids) == 0 {
		return ""
	}
	return h.ids[len(h.ids)-1]
}

// window returns where a look begins. Mostly that is a minute before the latest event, and at the latest event once that
// is two minutes old: an event before the latest that comes then would be late by more than a minute. Where that would be
// many events, it is less, and a minute later a look makes up for it.
func (h *history) window(now int64) window {
	h.lock.Lock()
	defer h.lock.Unlock()
	latest := h.latest()
	if latest == "" {
		return window{from: h.since}
	}
	ms := idTime(latest)
	switch {
	case time.Duration(now-h.back).Abs() >= backEvery:
		return window{from: max(FirstID(ms-lookBack.Milliseconds()), h.since), back: true, wide: true}
	case h.narrow != 0 && time.Duration(now-h.narrow).Abs() >= apart:
		return window{from: FirstID(ms - 3*apart.Milliseconds()), wide: true}
	}
	w := window{from: FirstID(ms - apart.Milliseconds())}
	w.from = max(w.from, min(FirstID(millis(now)-2*apart.Milliseconds()), latest))
	if more := len(h.ids) - overlapKeys; more > 0 && w.from < h.ids[more] {
		w.from, w.narrow = h.ids[more], true
	}
	return w
}

// begin makes the history what a listing shows of the events up to now, the newest first; more tells whether there were
// further ones.
func (h *history) begin(newest []string, more bool, now int64) {
	h.lock.Lock()
	defer h.lock.Unlock()
	h.begun, h.ids, h.since, h.ahead, h.own, h.back, h.narrow = true, slices.Clone(newest), "", nil, nil, now, 0
	slices.Sort(h.ids)
	if !more || len(h.ids) == 0 {
		return
	}
	h.since = h.ids[0]
	late := millis(now) - 2*apart.Milliseconds() // an event before that would be late by more than a minute
	if idTime(h.since) > max(late, idTime(h.latest())-apart.Milliseconds()) {
		h.narrow = now
	}
}

// end makes the next look begin the history again.
func (h *history) end() {
	h.lock.Lock()
	defer h.lock.Unlock()
	h.begun = false
}

// isNew reports whether the event is neither known nor this process's own.
func (h *history) isNew(id string) bool {
	h.lock.Lock()
	defer h.lock.Unlock()
	_, own := h.own[id]
	_, counted := slices.BinarySearch(h.ids, id)
	_, far := slices.BinarySearch(h.ahead, id)
	return !own && !counted && !far
}

// remember makes the events known that a look has listed from w on: those that count, and those that are too far ahead.
// Both are ascending.
func (h *history) remember(counted, ahead []string, w *window, now int64) {
	h.lock.Lock()
	defer h.lock.Unlock()
	if w.back {
		h.back = now
	}
	if w.wide {
		h.narrow = 0
	} else if w.narrow && h.narrow == 0 {
		h.narrow = now
	}
	for _, id := range ahead {
		delete(h.own, id)
	}
	fresh := false
	for _, id := range counted {
		delete(h.own, id)
		_, found := slices.BinarySearch(h.ids, id)
		fresh = fresh || !found
	}
	h.ahead = ahead
	if fresh {
		h.ids = append(h.ids, counted...)
		slices.Sort(h.ids)
		h.ids = slices.Compact(h.ids)
		h.pruneLocked()
	}
	for id, at := range h.own {
		if id < w.from || time.Duration(now-at).Abs() > lookBack {
			delete(h.own, id) // no look will show it
		}
	}
}

// pruneLocked forgets events that no look lists again.
func (h *history) pruneLocked() {
	oldest := FirstID(idTime(h.latest()) - lookBack.Milliseconds())
	if more := len(h.ids) - known; more > 0 {
		oldest = max(oldest, h.ids[more])
	}
	at, _ := slices.BinarySearch(h.ids, oldest)
	if at > 0 {
		h.since = max(h.since, oldest)
		h.ids = slices.Clone(h.ids[at:])
	}
}

// invisible returns when the oldest event was written that should be in the index by now, and is not.
func (h *history) invisible(now int64) (since int64, found bool) {
	h.lock.Lock()
	defer h.lock.Unlock()
	for _, at := range h.own {
		if time.Duration(now-at) >= apart && (!found || at < since) {
			since, found = at, true
		}
	}
	return since, found
}

// wrote notes an event of this process, which is not news when a look shows it.
func (h *history) wrote(id string, now int64) {
	h.lock.Lock()
	defer h.lock.Unlock()
	if _, found := slices.BinarySearch(h.ids, id); found || !h.begun || len(h.own) >= mostOwn {
		return
	}
	if h.own == nil {
		h.own = make(map[string]int64)
	}
	h.own[id] = now
}

// next returns an id that follows all known ones, but is at most a minute ahead of the clock.
func (h *history) next(now int64) (string, error) {
	h.lock.Lock()
	defer h.lock.Unlock()
	if h.entropy == nil {
		h.entropy = ulid.Monotonic(rand.Reader, 0)
	}
	ms := millis(now)
	if latest := h.latest(); latest > h.lastOwn {
		ms = max(ms, idTime(latest)+1)
	} else if latest != "" || h.lastOwn != "" {
		ms = max(ms, idTime(h.lastOwn)) // within a millisecond, entropy increases
	}
	id, err := ulid.New(uint64(max(min(ms, millis(now)+apart.Milliseconds()), 0)), h.entropy)
	h.lastOwn = id.String()
	return h.lastOwn, err
}
