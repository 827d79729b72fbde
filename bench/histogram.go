package bench

import (
	"math/bits"
	"time"
)

// histogramSteps is the number of buckets per power of two: a quantile is at most 1/16 too large.
const histogramSteps = 16

// histogram counts durations in buckets whose width grows with what they hold.
type histogram struct {
	total  uint64
	counts [64 * histogramSteps]uint64
}

func (h *histogram) record(d time.Duration) {
	h.counts[bucketOf(uint64(max(d, 0)))]++
	h.total++
}

func (h *histogram) merge(o *histogram) {
	h.total += o.total
	for i, n := range o.counts {
		h.counts[i] += n
	}
}

// quantile is the upper end of the bucket in which the q-th part of all is reached.
func (h *histogram) quantile(q float64) time.Duration {
	rank := max(uint64(q*float64(h.total)), 1)
	var seen uint64
	for i, n := range h.counts {
		if seen += n; seen >= rank {
			return time.Duration(bucketEnd(i))
		}
	}
	return 0
}

// bucketOf gives small values a bucket each, and others one of the steps between two powers of two.
func bucketOf(v uint64) int {
	if v < histogramSteps {
		return int(v)
	}
	shift := bits.Len64(v) - bits.Len64(histogramSteps)
	return (shift+1)*histogramSteps + int(v>>shift) - histogramSteps
}

// bucketEnd is the largest value of a bucket.
func bucketEnd(i int) uint64 {
	if i < histogramSteps {
		return uint64(i)
	}
	shift := i/histogramSteps - 1
	return (uint64(i%histogramSteps+histogramSteps+1) << shift) - 1
}
