// Package reserve decides how the callers of Wait wait: each reserves its tokens with one write, and sleeps until they are due.
//
// A reservation is an acquire as of an instant in the future. The record of a bucket holds, for each limit, the instant at
// which it will be full again. Whoever takes tokens moves that instant, also if the bucket is empty: so the record is a
// queue, in which everybody who writes takes the next place, whatever its process. With a limit of one token a second and
// an empty bucket, three waiters that come at once are due after 1, 2 and 3 s. Nobody asks twice.
//
// A [Line] is the queue of one process for one path: the bucket of an entity and those of its parents. It is a state
// machine. It reads no clock and calls nothing: each method takes the time, as nanoseconds since the Unix epoch, and
// returns a [Step], which says which write to send now, which waiters have their verdict, and what to refund. The engine,
// here called the driver, sends the write and reports its outcome:
//
//	Wait ── Join ──► Admitted, Denied until, or Pending (it waits)
//	           └──► Step.Send ──► store ──► Applied, Refused, Throttled, Unknown or Failed ──► Step …
//	timer ─── Tick, at the instant that Due returns ──► Admitted: the tokens are due
//	context ends ─── Leave          limits change ─── Retire          limiter closes ─── Close
//
// One write of a line is under way at a time. Those who come meanwhile share the next one.
//
// # When a waiter is due
//
// From the last seen records, the line predicts the instant D at which the first waiter's request fits into all limits of
// all buckets. A write charges as of an instant, and has an upper bound for the due time that it leads to:
//
//	                                             as of   due at the latest: the earliest of
//	bucket with one limit, written first         now     the deadline, now + reach
//	any other bucket                             D       the deadline, now + reach, D + 100 ms
//
// In the first case, others who reserved since the record was seen only move the due time. In the second, a limit that does
// not decide D is charged as of D, so that the decision is that of D; if the prediction was wrong, the write is refused, and
// the refusal brings the record for the next one. The buckets of a path are written one after another, the one that decides
// first: once it is charged, the due time is known, and the others are charged as of it.
//
// Waiters share a write if they are due within these bounds. Each is due when all limits hold what it and those before it
// have taken. For each limit and interval T, the tokens of admissions, counted when they are due, are at most capacity +
// rate·(T + 100 ms), without the 100 ms if the path has one limit, plus what was refunded within T, or up to the reach
// before it.
//
// # Who is denied, and who queues
//
// A waiter is denied if and only if a record seen within the last second proves that its deadline is too early. One whose
// due time is beyond the reach, which is a minute by default, stays in the queue of its process. The queue asks again when half
// a second of the rate, or half of the reach if that is less, has become free within the reach; so one write serves many. A
// reach of 0 turns reservations off: the queue asks when its first waiter fits.
//
// # Slots
//
// What a waiter has reserved is a slot: a due time, and an amount of each limit. When its context ends, the slot passes to the
// next waiter of the line that fits into it, whose own slot passes on in the same way: everybody is due at the promised time
// or earlier. The last slot of a record is refunded at once if nobody takes it. Any other stays for those who come before it
// is due, and is refunded then: an earlier refund would let two later slots be due together. If a bucket refuses after another
// one was charged, that charge is such a slot, which nobody can take.
//
// Amounts are tokens in whole numbers, instants saturate. A Line is not safe for concurrent use. It does not know contexts,
// stores, limits by name or leases, and it does not serve callers that do not wait.
package reserve
