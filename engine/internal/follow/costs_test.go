package follow

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/internal/alltests"
)

// TestSlowCosts simulates fleets on one table, and counts the keys that acquires read, beside those of looks.
func TestSlowCosts(t *testing.T) {
	alltests.Only(t)
	for _, c := range []struct {
		processes, entities, perMinute, parents int
		course                                  time.Duration
		most                                    float64 // keys per acquire of the child
	}{
		{1, 1000, 60, 0, time.Minute, 0.05},
		{10, 10_000, 1, 0, 2 * time.Minute, 0.05},
		{50, 1000, 1, 0, 10 * time.Minute, 0.05},
		{10, 10_000, 1, 100, 2 * time.Minute, 0.1},
		{10, 20, 1, 0, 240 * time.Hour, 0.05}, // long enough for records of entities to be read again
	} {
		name := fmt.Sprintf("%d processes, %d entities, %d a minute, %d parents, %v", c.processes, c.entities, c.perMinute, c.parents, c.course)
		t.Run(name, func(t *testing.T) {
			f := newFleet(t, c.processes, c.entities, c.parents)
			acquires := f.run(c.perMinute, c.course)
			var lists, listed, looked, fetched int
			for _, p := range f.processes {
				a, b, c, d := p.count()
				lists, listed, looked, fetched = lists+a, listed+b, looked+c, fetched+d
			}
			seconds := c.course.Seconds() * float64(c.processes)
			keys := float64(fetched) / float64(acquires)
			t.Logf("%d acquires: %.4f keys per acquire; per second and process: %.2f looks with %.2f keys listed and %.2f read",
				acquires, keys, float64(lists)/seconds, float64(listed)/seconds, float64(looked)/seconds)
			if keys > c.most {
				t.Errorf("%.4f keys per acquire, at most %.2f", keys, c.most)
			}
			if float64(lists) > 1.01*seconds+float64(c.processes) {
				t.Errorf("%d looks in %.0f s", lists, seconds)
			}
		})
	}
}

// fleet is processes that have all seen all entities.
type fleet struct {
	*world
	random    *rand.Rand
	processes []*process
	operator  *process // changes the resource, and acquires nothing
	entities  []string
	parents   int
}

func newFleet(t *testing.T, processes, entities, parents int) *fleet {
	f := &fleet{world: newWorld(t), random: rand.New(rand.NewPCG(1, 2)), parents: parents}
	for i := range entities {
		f.entities = append(f.entities, fmt.Sprint("entity", i))
		if parents > 0 {
			f.parent(f.entities[i], fmt.Sprint("parent", i%parents))
		}
	}
	f.operator = f.process(0)
	for range processes {
		p := f.process(0)
		f.processes = append(f.processes, p)
		for _, name := range f.entities {
			f.acquire(p, name)
		}
		p.count()
	}
	return f
}

func (f *fleet) acquire(p *process, name string) {
	c, err := p.acquire(name, "r")
	if err != nil {
		f.t.Fatalf("%v", err)
	}
	if c.Entity.Parent != "" {
		if _, err := p.acquire(c.Entity.Parent, "r"); err != nil {
			f.t.Fatalf("%v", err)
		}
	}
}

// run lets the fleet acquire for as long as the course lasts. Every minute one of the processes changes an entity, and
// every ten minutes the operator changes the resource. It returns the number of acquires.
func (f *fleet) run(perMinute int, course time.Duration) (acquires int) {
	every := time.Minute / time.Duration(perMinute*len(f.entities))
	for passed, minutes := time.Duration(0), 0; passed < course; passed += every {
		f.pass(every)
		f.acquire(f.processes[f.random.IntN(len(f.processes))], f.entities[f.random.IntN(len(f.entities))])
		if acquires++; passed/time.Minute > time.Duration(minutes) {
			p := f.processes[f.random.IntN(len(f.processes))]
			if minutes++; course < time.Hour || minutes%600 == 0 {
				p.change(entityOfName(f.entities[f.random.IntN(len(f.entities))]), "r")
			}
			if minutes%10 == 0 {
				f.operator.change(resourceOfName("r"), "")
			}
		}
	}
	return acquires
}
