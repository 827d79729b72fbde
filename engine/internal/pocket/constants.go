package pocket

import "time"

// Defaults of Options.
const (
	// DefaultTarget is how long a block lasts. Simulated with 68 mixed runs: 50 ms cost 0.067 writes per admission, 100 ms
	// cost 0.046, and 200 ms cost 0.031; the pocket, which a crash loses, grows in proportion.
	DefaultTarget = 100 * time.Millisecond
	// DefaultMaxAge is the window A: the bound allows rate·A beyond the limit.
	DefaultMaxAge = time.Second
	// DefaultMaxShare is the part of the expected tokens, in thousandths, that one forecast takes where others write, too.
	DefaultMaxShare = 100
	// DefaultDenialTTL is how long the last seen record proves a denial.
	DefaultDenialTTL = time.Second
)

const (
	slots = 10 // of a window; a sum over them covers 0.9 A to A

	// A pocket holds at most 4/5 of what was handed out in the last window. With h = 4/5, pockets and record together hold
	// at most capacity + h·rate·A; the rest of A is for the slack and for writes on their way.
	heldNum, heldDen = 4, 5

	// The longest that waiting refunds, charges and usage wait, unless a block lasts longer.
	mostOwed = int64(100 * time.Millisecond)

	// A pocket goes back after idleNum/idleDen blocks' time without a request.
	idleNum, idleDen = 5, 2

	// A write holds up others until it is older than this, or lateTimes the usual latency.
	lateAfter = int64(50 * time.Millisecond)
	lateTimes = 5
	mostLate  = 2 // writes at a time that no longer hold up others

	firstLatency = int64(7 * time.Millisecond) // before any was measured: that of a conditional write to DynamoDB
	latencyParts = 10                          // a reply moves the usual latency by one part in so many

	// Ahead: the last request came within aheadWithin, and the block is worth aheadRequests.
	aheadWithin   = int64(50 * time.Millisecond)
	aheadRequests = 4
	aheadParts    = 4 // of a block; with less than one part in the pocket the next write starts

	slackMost  = int64(100 * time.Millisecond)
	slackParts = 4 // of the refill time, which bounds the slack and the pause

	// The pause stretches where more than calmWrites a second reach the record, by the square, so that the writes of
	// hundreds of processes stay below the 1,000 a second that one DynamoDB partition takes.
	calmWrites = 300
	hotWrites  = 1000 // what a throttled record takes
	manyPauses = 200  // a record with more writers than this may have pauses beyond a part of the refill time

	mostDoublings = 2 // of the pause, after refusals in a row

	throttleWeight  = 5 // replies for which one throttled write is remembered
	mostThrottles   = 3 // resends of a throttled write
	throttleJitter  = int64(40 * time.Millisecond)
	throttledDenial = int64(time.Second) // in exact mode; with prefetch it is the pause

	mostEager = 1 // writes in a row that may be made at once after a refusal while tokens are scarce

	mostLosses = 2 // writes in a row that carried a caller and were refused, before it is judged as of the last one

	mostTries = 32 // writes in a row that were refused, before the callers get an error; as in one acquire of the engine
)
