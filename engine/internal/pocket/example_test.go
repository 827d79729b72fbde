package pocket_test

import (
	"fmt"
	"time"

	"github.com/zeroae/zae-limiter-go/backend/num"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/pocket"
)

// Three callers meet on a bucket of ten tokens. The first one's write is under way when the others come, so they share the
// next one.
func Example() {
	rate := bucket.Limit{Name: "rpm", Capacity: 10, RefillAmount: 10, RefillPeriod: time.Minute}.Rate()
	rates := []bucket.Rate{rate}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixNano()
	b := pocket.New(rates, pocket.Options{})

	callers := []*pocket.Caller{{Need: pocket.Tokens{2}}, {Need: pocket.Tokens{3}}, {Need: pocket.Tokens{4}}}
	var send *pocket.Write
	for _, c := range callers {
		if step := b.Ask(now, c); step.Send != nil {
			send = step.Send
		}
	}
	for version := int64(1); send != nil; version++ { // the driver sends the write; here it is always applied
		taken := map[int64]int64{1: 2, 2: 9}[version]
		fmt.Println("write", send.Take, "for", send.Callers())
		step := b.Applied(now, send, &pocket.Record{
			Tats: []bucket.Arrival{{At: rate.Y(now).Add(rate.Cost(taken)), Seen: true}}, Ver: version, Born: num.FromInt64(7),
		})
		for _, c := range step.Decided {
			fmt.Println("admitted:", c.Verdict == pocket.Admitted, "need", c.Need, "charged behind it", c.Behind)
		}
		send = step.Send
	}
	c := &pocket.Caller{Need: pocket.Tokens{2}}
	b.Ask(now, c)
	fmt.Println("denied for", time.Duration(c.Until-now))
	// Output:
	// write [2] for 1
	// admitted: true need [2] charged behind it [0]
	// write [7] for 2
	// admitted: true need [3] charged behind it [4]
	// admitted: true need [4] charged behind it [0]
	// denied for 6s
}
