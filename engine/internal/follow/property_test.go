package follow

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/zeroae/zae-limiter-go/engine/internal/store"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// course is a random course of several processes with clocks of their own, over an index that is late.
type course struct {
	*world
	draw      *rapid.T
	processes []*process
	nested    int
	bursting  bool
	burstAt   int64
}

var (
	someEntities  = []string{"a", "b", "c", "d"}
	someResources = []string{"r", "s"}
)

const mostLate = 8 * time.Second

// TestCourse checks that, whatever happens, everybody who looks has what is stored once the index has caught up.
func TestCourse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := &course{world: newWorld(t), draw: t}
		c.delay = func() time.Duration {
			if c.bursting {
				return time.Duration(c.changes%9) * time.Second
			}
			return c.duration("delay", mostLate)
		}
		for i := range 3 {
			skew := time.Duration(rapid.IntRange(-25_000, 25_000).Draw(t, "skew")) * time.Millisecond
			p := c.process(skew, func(o *Options) { o.Size = rapid.SampledFrom([]int{3, 1000}).Draw(t, "size") })
			p.calm = i > 0
			c.processes = append(c.processes, p)
		}
		t.Repeat(map[string]func(*rapid.T){
			"acquire": func(*rapid.T) { c.acquire(c.any()) },
			"change":  func(*rapid.T) { c.change(c.any()) },
			"pass":    func(*rapid.T) { c.pass(c.duration("pass", 3*time.Second)) },
			"pause":   func(*rapid.T) { c.pass(c.duration("pause", 20*time.Minute)) },
			"fail":    func(*rapid.T) { c.any().listErr = store.ErrUnavailable },
			"heal":    func(*rapid.T) { c.any().listErr = nil },
			"burst": func(*rapid.T) {
				if rapid.IntRange(0, 4).Draw(t, "seldom") == 0 {
					c.burst()
				}
			},
			"namespace": func(*rapid.T) {
				c.register("deleted")
				c.acquire(c.any())
				c.set(entityOfName("a"), "r")
				c.register("active")
			},
			"settle": func(*rapid.T) { c.settle() },
		})
		c.settle()
	})
}

func (c *course) any() *process { return c.one(c.processes) }

func (c *course) one(of []*process) *process {
	return of[rapid.IntRange(0, len(of)-1).Draw(c.draw, "process")]
}

func (c *course) duration(what string, most time.Duration) time.Duration {
	return time.Duration(rapid.Int64Range(0, int64(most)).Draw(c.draw, what))
}

// acquire is one acquire, during whose reads others may do anything, and its own process may look or make a change.
func (c *course) acquire(p *process) {
	name, resource := rapid.SampledFrom(someEntities).Draw(c.draw, "entity"), rapid.SampledFrom(someResources).Draw(c.draw, "resource")
	if c.nested < 2 && rapid.Bool().Draw(c.draw, "meanwhile") {
		c.nested++
		defer func() { c.nested-- }()
		p.during = func() { c.meanwhile(p) }
	}
	_, _ = p.acquire(name, resource)
	p.during, p.duringLook = nil, nil
}

func (c *course) meanwhile(p *process) {
	others := slices.DeleteFunc(slices.Clone(c.processes), func(o *process) bool { return o == p && p.inLook || o.inLook })
	for range rapid.IntRange(0, 4).Draw(c.draw, "n") {
		o := c.one(others)
		switch rapid.IntRange(0, 3).Draw(c.draw, "what") {
		case 0:
			c.pass(c.duration("pass", 3*time.Second))
		case 1:
			c.acquire(o)
		case 2:
			c.change(o)
		case 3:
			if p.inLook { // as if a writer of this process, who has looked before, commits now
				c.set(system, "")
				c.event(firstIDAfter(c.at), system, schema.ActionLimitsSet)
				p.Changed(system)
			}
		}
	}
}

// firstIDAfter is an id that nobody else has.
func firstIDAfter(at int64) string {
	var h history
	id, _ := h.next(at)
	return id
}

// change changes something, which its own process sees at once.
func (c *course) change(p *process) {
	name, resource := rapid.SampledFrom(someEntities).Draw(c.draw, "entity"), rapid.SampledFrom(someResources).Draw(c.draw, "resource")
	switch rapid.IntRange(0, 3).Draw(c.draw, "of") {
	case 0:
		p.change(resourceOfName(resource), "")
	case 1:
		p.change(system, "")
	case 2:
		c.parent(name, fmt.Sprint("parent", c.changes))
		p.change(entityOfName(name), "x")
	case 3:
		p.change(entityOfName(name), resource)
		if !p.quiet(p.now()) {
			return // the acquire would look, which may be under way
		}
		if got, err := p.acquire(name, resource); err == nil && got.Limits != c.config(name, resource).Limits {
			c.t.Fatalf("own change of %s on %s: %+v, want %+v", name, resource, got, c.config(name, resource))
		}
	}
}

// burst is a manifest that changes many things.
func (c *course) burst() {
	p := c.any()
	c.bursting, c.burstAt = true, c.at
	defer func() { c.bursting = false }()
	for i := range rapid.IntRange(101, 1500).Draw(c.draw, "burst") {
		p.change(entityOfName(fmt.Sprint("other", i)), "r")
	}
	p.change(entityOfName("a"), "r")
	p.change(Change{Kind: Everything}, "")
}

// settle waits until the index has caught up and failed looks are made again, and after a burst until a look is wide.
func (c *course) settle() {
	c.pass(mostLate + 13*time.Second)
	if c.at-c.burstAt < int64(4*time.Minute) {
		for _, p := range c.processes {
			p.listErr = nil
			p.Look(context.Background(), p.now(), time.Second)
		}
		c.pass(apart)
	}
	for _, p := range c.processes {
		p.listErr = nil
		p.Look(context.Background(), p.now(), time.Second) // the acquires that follow find it done
	}
	for _, p := range c.processes {
		for _, name := range someEntities {
			for _, resource := range someResources {
				p.want(fmt.Sprint("settled, skew ", p.skew), name, resource)
			}
		}
	}
}
