// Package backend is the contract between the limiter and its stores.
//
// A store implements [Backend]: six methods. It keeps records in namespaces. A record has a [Key], values in the [Slot]s
// of a [Layout], an expiry, and at most one [Place] in the index. A caller describes what is to be done as data: a
// [Write] has conditions and effects, and the store checks the conditions on the record and applies the effects if all
// of them hold, in one step. A store knows nothing of limits, and reads no clock: times are arguments.
//
// A limit of 10 a minute, for example, is a number in a record. A charge is one write: the condition says that the
// number is small enough, the effect adds to it, and the outcome tells the number that it was checked against.
//
// docs/writing-a-backend.md shows a whole store in 200 lines, and package conformance proves that a store keeps the
// contract. Functions that every store can use are here: [Write.Validate], [ValidateCommit] and [Query.Validate] refuse
// what no store accepts, and [CheckAndApply] says what conditions and effects mean.
//
// # Promises
//
// Every store keeps these promises. Package conformance has a subtest of the same name for each.
//
//   - Absent: an unknown key reads as a record that is not present, never as an error and never as a record of zeros.
//   - RoundTrip: values come back as they were written: numbers of up to 38 digits and either sign, any UTF-8, any bytes,
//     the empty string. There are no floats and no sets.
//   - ReadOwnCommit: every later read by key sees an acknowledged write, through whatever handle.
//   - AllOrNothing: if any condition of a commit fails, nothing changes.
//   - Verdict: a write that was refused returns the record that its conditions were checked on, a write that took effect
//     returns the record after it, and a commit that was refused names the write.
//   - OneMoment: no other write comes between checking the conditions of a write and applying its effects.
//   - Independent: the writes of one Apply are checked one by one, and each has its own outcome.
//   - Views: a listing is in the order of bytes, in both directions, and complete across pages. An index listing may lag
//     behind writes; it never lists a key that was not there, and it catches up.
//   - Apart: no call sees the records of another namespace, whatever characters the parts of a key contain.
//   - Expiry: a record is never dropped before its expiry, and may stay after it.
//   - Limits: lengths and counts beyond those of this package are refused before anything is written.
//   - Cancelled: if ctx is done before a call, nothing is written; if it ends during a call, the call returns promptly,
//     and its error says whether the outcome is known.
//   - Errors: only errors of this package and of ctx are returned, and the driver's own is reachable by errors.As. A
//     record that cannot be read is named, does not prevent reading others, and can be removed.
//   - Closed: a second Close returns nil, and every call after Close returns ErrClosed.
//   - Shared: all methods are safe for concurrent use.
//   - Clockless: no promise depends on what time it is where the store runs.
//
// # Capabilities
//
// What not every store can do is in its [Capabilities]; the limiter does without what is missing, as described there.
// Four of them have promises, which package conformance proves apart, as it does for stores that survive being reopened:
// Feed, Sweep, Scan, Max and Durable. [Wrap] puts a function around every call of a store, for metrics or faults.
//
// Package backend contains no store, reads no clock and does no I/O.
package backend
