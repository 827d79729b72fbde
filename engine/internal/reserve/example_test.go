package reserve_test

import (
	"fmt"
	"math"
	"time"

	"github.com/zeroae/zae-limiter-go/backend/num"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/reserve"
)

// Three callers wait for a bucket that refills one token a second, and from which somebody has just taken the last one. The
// first one leaves while it waits, and the others move up.
func Example() {
	rate := bucket.Limit{Name: "rps", Capacity: 1, RefillAmount: 1, RefillPeriod: time.Second}.Rate()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixNano()
	// record is the bucket's when so many tokens beyond its capacity are reserved.
	record := func(version, reserved int64) *reserve.Record {
		full := rate.Y(now).Add(rate.Cost(1 + reserved))
		return &reserve.Record{Tats: []bucket.Arrival{{At: full, Seen: true}}, Ver: version, Born: num.FromInt64(7)}
	}
	l := reserve.New([][]bucket.Rate{{rate}}, reserve.DefaultMaxReserve)
	l.Saw(now, 0, record(1, 0))

	waiters := []*reserve.Waiter{{Tag: "first"}, {Tag: "second"}, {Tag: "third"}}
	var send *reserve.Write
	for _, x := range waiters {
		x.Need, x.Deadline = []int64{1}, math.MaxInt64
		if step := l.Join(now, x); step.Send != nil {
			send = step.Send
		}
	}
	reserved := int64(0)
	for version := int64(2); send != nil; version++ { // the driver sends the write; here it is always applied
		fmt.Println("write", send.Take, "for", send.Acquired)
		reserved += send.Take[0]
		send = l.Applied(now, send, record(version, reserved)).Send
	}
	l.Leave(now, waiters[0])
	for l.Due() != math.MaxInt64 {
		due := l.Due()
		for _, x := range l.Tick(due).Decided {
			fmt.Println(x.Tag, "admitted:", x.Verdict == reserve.Admitted, "after", time.Duration(due-now))
		}
		if due > now+int64(5*time.Second) {
			break
		}
	}
	// Output:
	// write [1] for 1
	// write [2] for 2
	// second admitted: true after 1s
	// third admitted: true after 2s
}
