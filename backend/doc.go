// Package backend is the contract between the engine and its stores.
//
// A namespace holds records. A record has a [Key], values in the [Slot]s of a [Layout], an expiry, and at most one
// [Place] in the index. What a store is asked to do is data: a [Write] carries conditions and effects, a store judges
// the conditions on the record and lets the effects happen. It knows nothing of limits. Times are arguments.
//
// # Promises
//
// Every store keeps these; package conformance has a subtest of the same name for each.
//
//   - Absent: an unknown key reads as no record, never as an error and never as a record of zeros.
//   - RoundTrip: values come back as they went in: numbers of up to 38 digits and either sign, any UTF-8, any bytes,
//     the empty string. There are no floats and no sets.
//   - ReadOwnCommit: what was acknowledged is seen by every later read by key.
//   - AllOrNothing: if any condition of a commit fails, nothing changes.
//   - Verdict: a refused write tells its record as it stood, one that took effect its record as it is now; a
//     refused commit names the write.
//   - OneMoment: no other write comes between judging the conditions and taking effect.
//   - Independent: the writes of one Apply are judged one by one, each with its own outcome.
//   - Views: a listing is in order, in both directions, and unaware of page borders. Struck in the open: an index
//     listing need not be complete at once; it never invents, and it catches up.
//   - Apart: a namespace never sees another's records, whatever characters its parts contain.
//   - Expiry: a record is never dropped before its time, and may linger after it.
//   - Limits: the lengths and counts of this package are refused before any effect, the same everywhere.
//   - Cancelled: with ctx done before the call nothing is written; with ctx done in flight the call returns promptly,
//     and its error says whether the outcome is known.
//   - Errors: only the errors of this package and ctx's cross the seam; the driver's own stays reachable by errors.As. A
//     record that cannot be read is named, keeps no other back, and can be removed.
//   - Closed: Close twice is fine; afterwards every call answers ErrClosed.
//   - Shared: safe for concurrent use.
//   - Clockless: no promise depends on the store's idea of now.
//
// What not every store can do, a store says in its [Capabilities]. The promises of four of them, and that of stores which
// survive being reopened, are run apart: Feed, Sweep, Scan, Max, Durable. [Wrap] puts a function around every call.
//
// Package backend holds no store, reads no clock and does no I/O.
package backend
