package conformance

import (
	"context"

	"github.com/zeroae/zae-limiter-go/backend"
)

// The further powers of a wrapped store, each planned as any other call.
type (
	feeding struct {
		f     *Fault
		inner backend.Feed
	}
	sweeping struct {
		f     *Fault
		inner backend.Sweeper
	}
	scanning struct {
		f     *Fault
		inner backend.Scanner
	}
	noIO struct{}
)

// Feed implements [backend.Feed].
func (p feeding) Feed(ctx context.Context, layouts backend.Layouts, size int, take func([]backend.Change) error) (n int, err error) {
	err = p.f.call(ctx, OpFeed, nil, func(ctx context.Context) error {
		n, err = p.inner.Feed(ctx, layouts, size, take)
		return err
	})
	return n, err
}

// Sweep implements [backend.Sweeper].
func (p sweeping) Sweep(ctx context.Context, now int64) (n int, err error) {
	err = p.f.call(ctx, OpSweep, nil, func(ctx context.Context) error {
		n, err = p.inner.Sweep(ctx, now)
		return err
	})
	return n, err
}

// Scan implements [backend.Scanner].
func (p scanning) Scan(ctx context.Context, namespace, after string, size int) (keys []backend.Key, next string, err error) {
	err = p.f.call(ctx, OpScan, nil, func(ctx context.Context) error {
		keys, next, err = p.inner.Scan(ctx, namespace, after, size)
		return err
	})
	return keys, next, err
}

// NoIO implements [backend.NoIO].
func (noIO) NoIO() {}

// Powers is f with the further powers that the wrapped store has: Feed, Sweeper and Scanner. NoIO, which a store that
// may hang is not, comes only with withNoIO. Max it has anyway.
func (f *Fault) Powers(withNoIO bool) backend.Backend {
	feeder, feeds := f.inner.(backend.Feed)
	sweeper, sweeps := f.inner.(backend.Sweeper)
	scanner, scans := f.inner.(backend.Scanner)
	feed, sweep, scan := feeding{f, feeder}, sweeping{f, sweeper}, scanning{f, scanner}
	const no, yes = false, true
	switch [4]bool{feeds, sweeps, scans, withNoIO} {
	case [4]bool{no, no, no, yes}:
		return faultNoIO{f, noIO{}}
	case [4]bool{no, no, yes, no}:
		return faultScan{f, scan}
	case [4]bool{no, no, yes, yes}:
		return faultScanNoIO{f, scan, noIO{}}
	case [4]bool{no, yes, no, no}:
		return faultSweep{f, sweep}
	case [4]bool{no, yes, no, yes}:
		return faultSweepNoIO{f, sweep, noIO{}}
	case [4]bool{no, yes, yes, no}:
		return faultSweepScan{f, sweep, scan}
	case [4]bool{no, yes, yes, yes}:
		return faultSweepScanNoIO{f, sweep, scan, noIO{}}
	case [4]bool{yes, no, no, no}:
		return faultFeed{f, feed}
	case [4]bool{yes, no, no, yes}:
		return faultFeedNoIO{f, feed, noIO{}}
	case [4]bool{yes, no, yes, no}:
		return faultFeedScan{f, feed, scan}
	case [4]bool{yes, no, yes, yes}:
		return faultFeedScanNoIO{f, feed, scan, noIO{}}
	case [4]bool{yes, yes, no, no}:
		return faultFeedSweep{f, feed, sweep}
	case [4]bool{yes, yes, no, yes}:
		return faultFeedSweepNoIO{f, feed, sweep, noIO{}}
	case [4]bool{yes, yes, yes, no}:
		return faultFeedSweepScan{f, feed, sweep, scan}
	case [4]bool{yes, yes, yes, yes}:
		return faultFeedSweepScanNoIO{f, feed, sweep, scan, noIO{}}
	default:
		return f
	}
}

// One type for each set of powers: what a store can do is seen from its type.
type (
	faultNoIO struct {
		*Fault
		noIO
	}
	faultScan struct {
		*Fault
		scanning
	}
	faultScanNoIO struct {
		*Fault
		scanning
		noIO
	}
	faultSweep struct {
		*Fault
		sweeping
	}
	faultSweepNoIO struct {
		*Fault
		sweeping
		noIO
	}
	faultSweepScan struct {
		*Fault
		sweeping
		scanning
	}
	faultSweepScanNoIO struct {
		*Fault
		sweeping
		scanning
		noIO
	}
	faultFeed struct {
		*Fault
		feeding
	}
	faultFeedNoIO struct {
		*Fault
		feeding
		noIO
	}
	faultFeedScan struct {
		*Fault
		feeding
		scanning
	}
	faultFeedScanNoIO struct {
		*Fault
		feeding
		scanning
		noIO
	}
	faultFeedSweep struct {
		*Fault
		feeding
		sweeping
	}
	faultFeedSweepNoIO struct {
		*Fault
		feeding
		sweeping
		noIO
	}
	faultFeedSweepScan struct {
		*Fault
		feeding
		sweeping
		scanning
	}
	faultFeedSweepScanNoIO struct {
		*Fault
		feeding
		sweeping
		scanning
		noIO
	}
)
