package reserve

import (
	"math"
	"time"
)

const (
	// DefaultMaxReserve is how long ahead a process reserves, unless its options say otherwise.
	DefaultMaxReserve = time.Minute
	// mostMaxReserve is the longest that options may allow.
	mostMaxReserve = time.Hour
)

const (
	// With several limits, a write is refused if it would be due more than this later than predicted. Without a bound, a limit
	// of 1,000 tokens a second beside one of 1 a second was exceeded by 5 s of its rate; with it, by 0.01 s.
	tolerance = int64(100 * time.Millisecond)

	// A queue beyond MaxReserve asks again when so much of the rate has become free, so that one write serves many.
	mostChunk = int64(500 * time.Millisecond)

	// A queue asks again at the latest after this: others may have refunded, or the bucket may have been reset.
	mostSleep = int64(time.Minute)

	// A record proves denials, and that the queue has to wait, for so long after the write that showed it was sent.
	proves = int64(time.Second)

	// A queue pauses for so long after so many tries in a row that failed, and up to twice as long after one that the
	// store has throttled.
	pause     = int64(500 * time.Millisecond)
	mostTries = 32

	mostSum = 1_000_000_000_000_000_000 // tokens of one write; a request has at most 10^15

	never = math.MaxInt64
)

// Allowed is how far ahead reservations reach for a value of Options.MaxReserve: the default for 0, not at all below that.
// It returns false if the value is above MostMaxReserve.
func Allowed(option time.Duration) (time.Duration, bool) {
	if option == 0 {
		option = DefaultMaxReserve
	}
	return max(0, option), option <= mostMaxReserve
}

// addSaturated is a + b, for b of at least 0.
func addSaturated(a, b int64) int64 {
	if a > never-b {
		return never
	}
	return a + b
}
