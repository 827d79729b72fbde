// Package pocket decides when a process writes to a hot bucket, what each write takes, and who is served without one.
//
// A [Buyer] is the part of a bucket's state in one process that writes. Callers that meet on the bucket share a write.
// With [Options.Prefetch], the write also takes tokens for the callers that come next. Those tokens are in the pocket, and
// a caller that the pocket can serve costs no write.
//
// The buyer is a state machine. It reads no clock and calls nothing: each method takes the time, as nanoseconds since the
// Unix epoch, and returns a [Step], which says which write to send now and which waiting callers have their verdict. The
// engine, here called the driver, sends the write, and reports its outcome:
//
//	caller ── Ask ──► Admitted, Denied until, or Pending (it waits)
//	             └──► Step.Send ──► store ──► Applied, Refused, Throttled, Unknown or Failed ──► Step …
//	timer ─── Tick, at the instant that Due returns ──► Step
//	caller's context ends ─── Leave          lease ends ─── Settle
//
// A lease's corrections wait in the buyer for the next write (Settle), as do the tokens of a caller that another bucket of
// its path has denied (Retract). If a request has several buckets, the driver calls Denies for all of them before it asks
// one. When the limit set changes, it calls Retire and makes another buyer; when the limiter closes, it calls Close.
//
// Three examples, with a capacity of ten tokens. Callers that need 2, 3 and 4 come at the same moment: the first one writes
// alone, and the others share the next write, which takes 7. Callers that need 8 and 4 come while a write is under way: the
// next write takes 8; its record shows 2, which denies the other caller. With prefetch, 1,000 requests a second make a block
// of 100 tokens: about every 75 ms, when a quarter of it is left, a write buys the rest again.
//
// The words are those of the design: the pocket aims at a block, which follows the demand and is bounded by what was handed
// out in the last window. The forecast is what a write buys for the pocket; the share bounds it. A pause separates writes
// while tokens are scarce. In the terms of the bound, each process keeps its pocket within 0.8 of what it handed out in the
// last window A, hence all processes together hand out at most capacity + rate·(T + A) in any interval T.
//
// All amounts are tokens in whole numbers, by position in the limit set. A Buyer is not safe for concurrent use.
package pocket
