package prefetch_test

import (
	"testing"

	"github.com/zeroae/zae-limiter-go/internal/prefetch"
)

// TestLinesChangesNothing: whatever is asked for stays as it is, and what is not there may be asked for.
func TestLinesChangesNothing(t *testing.T) {
	t.Parallel()
	var room [1024]byte
	for i := range room {
		room[i] = byte(i)
	}
	for n := -1; n <= 32; n++ { // the last lines lie behind room
		prefetch.Lines(&room[n&63], n)
		prefetch.Lines[[1024]byte](nil, n)
	}
	for i := range room {
		if room[i] != byte(i) {
			t.Fatalf("byte %d is %d", i, room[i])
		}
	}
}
