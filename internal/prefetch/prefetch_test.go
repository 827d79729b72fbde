package prefetch_test

import (
	"testing"

	"github.com/zeroae/zae-limiter-go/internal/prefetch"
)

// TestChangesNothing: whatever is asked for stays as it is, and what is not there may be asked for.
func TestChangesNothing(t *testing.T) {
	t.Parallel()
	var room [1024]byte
	for i := range room {
		room[i] = byte(i)
	}
	for i := range room { // the last lines lie behind room
		prefetch.Two(&room[i])
		prefetch.Four(&room[i])
	}
	prefetch.Two[byte](nil)
	prefetch.Four[byte](nil)
	for i := range room {
		if room[i] != byte(i) {
			t.Fatalf("byte %d is %d", i, room[i])
		}
	}
}
