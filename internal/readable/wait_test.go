package readable_test

import (
	"math"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/internal/readable"
)

func TestWait(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                         "0s",
		1:                         "1ms",
		time.Millisecond:          "1ms",
		90500 * time.Microsecond:  "91ms",
		999 * time.Millisecond:    "999ms",
		time.Second - 1:           "1s",
		time.Second:               "1s",
		time.Second + 1:           "1.1s",
		24 * time.Second:          "24s",
		59812345678:               "59.9s",
		time.Minute - 1:           "1m0s",
		time.Minute:               "1m0s",
		time.Minute + 1:           "1m1s",
		68400 * time.Millisecond:  "1m9s",
		time.Hour - 1:             "1h0m",
		time.Hour:                 "1h0m",
		2*time.Hour - time.Second: "2h0m",
		2 * time.Hour:             "2h0m",
		2*time.Hour + 1:           "2h1m",
		24 * time.Hour:            "24h0m",
		math.MaxInt64:             "2562047h47m",
		-1500 * time.Millisecond:  "-1.5s",
	} {
		if got := readable.Wait(d); got != want {
			t.Errorf("%v is written %s, not %s", d, got, want)
		}
	}
}

// Whoever waits as long as the text says has waited long enough.
func TestWaitIsEnough(t *testing.T) {
	for d := time.Duration(1); d < 1000*time.Hour; d += d/7 + 1 {
		text := readable.Wait(d)
		read, err := time.ParseDuration(text)
		if err != nil || read < d || read-d > d/10+time.Millisecond {
			t.Errorf("%v is written %s, which is %v, %v", d, text, read, err)
		}
	}
}
