// Package queue has the callers of Wait of this process. Those that charge the same buckets under the same limits wait in one [Queue],
// whose line (package reserve) decides what they reserve and when each of them is admitted. The queue sends the line's writes, reports
// their outcomes to it, and refunds what nobody uses.
//
// The package makes no leases, and does not decide what a request needs.
package queue
