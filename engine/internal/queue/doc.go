// Package queue holds the callers of Wait of this process. [Queues.Join] puts a caller into the [Queue] of all those that charge the same
// buckets under the same limits, and [Queue.Wait] waits for the verdict. The queue's line (package reserve) decides what they reserve
// and when each of them is admitted. The queue sends the line's writes, reports their outcomes to it, and refunds what nobody uses.
//
// The package creates no leases, and does not decide what a request needs.
package queue
