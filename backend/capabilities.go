package backend

import (
	"context"
	"time"
)

// Capabilities says what a store is and what it can do besides the methods of [Backend]. A store returns the same value
// for as long as it lives. The zero value describes a store that does I/O and has no further power; everything but the
// calls that are named below works over it.
//
// The first group are properties: a caller relies on them for every call, and a wrapper that adds I/O or ignores the
// context makes them wrong. The second group are powers, which a wrapper hands on; see [Wrap]. A power that is nil or
// false is one that the store does not have.
type Capabilities struct {
	// NoIO says that no call waits for anything, neither for a disk nor for a network. The limiter then sets no
	// deadlines, starts no goroutines for calls, and takes no precautions against lost replies.
	NoIO bool

	// HonorsContext says that every call returns as soon as its context is done, even if the server hangs. Without it
	// the limiter makes each call on a goroutine of its own, which it abandons when the context is done.
	HonorsContext bool

	// Max says that the store knows the effect [AddFrom], which adds to the greater of two numbers. A store without it
	// refuses a write with this effect with [ErrInvalid] before anything is sent. If Max and NoIO are both true, the
	// limiter needs one write for a charge, without having seen the record before.
	Max bool

	// Feed hands out changes. Without it there is nothing that usage could be counted from.
	Feed FeedFunc

	// Sweep drops expired records. It is nil for stores that drop them by themselves, as DynamoDB does.
	Sweep SweepFunc

	// Scan walks through a namespace. Without it the limiter cannot purge namespaces, list the buckets of all entities,
	// or read all settings.
	Scan ScanFunc

	// ClockAhead returns by how much the store's clock was ahead of this machine's at the last reply, give or take a
	// second, and 0 if that is not known. The limiter then warns of a clock that is wrong. No promise depends on it.
	ClockAhead func() time.Duration
}

// FeedFunc passes the oldest changes that have not been taken yet to take, up to size of them, and forgets them after
// take returned nil. Each change is passed on at least once, and the changes of one key come in order. It returns how
// many changes were taken; 0 means that there are none. The changes of a key for which layouts returns nil are
// forgotten without being passed on, and count as taken. The caller makes one call at a time. A size below 1 is
// [ErrInvalid]. The slice and its records belong to take until it returns.
type FeedFunc func(ctx context.Context, layouts Layouts, size int, take func([]Change) error) (int, error)

// SweepFunc drops records whose expiry lies before now, which is in seconds since the Unix epoch, and returns how many.
// One call may leave some of them for the next one; it returns 0 if it found none to drop.
type SweepFunc func(ctx context.Context, now int64) (int, error)

// ScanFunc returns up to size keys of a namespace that follow the position after, in an order of the store's own, and
// the position behind them. The position "" is the beginning when it is passed, and the end when it is returned. A page
// may be empty although more pages follow. Keys that are created or removed during the walk may or may not be returned.
type ScanFunc func(ctx context.Context, namespace, after string, size int) (keys []Key, next string, err error)

// Layouts returns the layout of a key's record, or nil if the caller does not need the record.
type Layouts func(Key) *Layout

// Change is one record before and after a write; either of them may be not present. A write that changed nothing makes
// no Change. A write that changed only the place may make one, with equal records, and so may Sweep for a record that it
// drops.
type Change struct {
	Key           Key
	Before, After Record
	At            int64 // when it was made, by the store's clock, in seconds since the Unix epoch; 0 if the store does not know
}
