package engine

import "github.com/maypok86/otter/v2"

// bucketID names a bucket within the limiter's namespace.
type bucketID struct{ entity, resource string }

// cache remembers the handles of the buckets used most. Safe for concurrent use.
type cache struct {
	handles *otter.Cache[bucketID, *handle]
}

func newCache(size int) *cache {
	return &cache{otter.Must(&otter.Options[bucketID, *handle]{MaximumSize: size})}
}

func (c *cache) get(id bucketID) *handle {
	h, _ := c.handles.GetIfPresent(id)
	return h
}

// add returns the handle that is remembered: h, or one that came first.
func (c *cache) add(id bucketID, h *handle) *handle {
	first, _ := c.handles.SetIfAbsent(id, h)
	return first
}

// forget makes the handles that match read their configuration anew.
func (c *cache) forget(matches func(*handle) bool) {
	for _, h := range c.handles.All() {
		if matches(h) {
			h.forget()
		}
	}
}
