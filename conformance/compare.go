package conformance

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/zeroae/zae-limiter-go/limitertest"
)

// Compare gives all stores the same random list of operations and compares their results line by line. A failure is reduced
// to a short list, and printed with its operations, the last lines of each store, the seed, and the command that runs it
// again.
func Compare(t *testing.T, stores map[string]Open) {
	names := slices.Sorted(maps.Keys(stores))
	tests := map[string]*storeTest{}
	for _, name := range names {
		tests[name] = newStoreTest(t, stores[name])
		tests[name].namespaces = nil
	}
	draw := drawing{max: !slices.ContainsFunc(names, func(name string) bool { return !tests[name].store.Capabilities().Max })}
	rapid.Check(t, func(rt *rapid.T) {
		players := make([]*player, len(names))
		for i, name := range names {
			players[i] = newPlayer(tests[name].under(rt))
		}
		list := rapid.SliceOfN(rapid.Custom(draw.asked), 1, 40).Draw(rt, "operations")
		histories := make([][]string, len(names))
		for step, a := range list {
			for i, p := range players {
				histories[i] = append(histories[i], p.line(a))
			}
			if !agree(histories, step) && !(a.op == limitertest.OpList && a.query.Index && catchUp(players, histories, a)) {
				rt.Fatalf("%s", report(names, list[:step+1], histories))
			}
		}
	})
}

// line returns the part of a result that must be the same for all stores.
func (p *player) line(a asked) string {
	line, _ := p.answer(a)
	if a.op == limitertest.OpCommit {
		line, _, _ = strings.Cut(line, ":") // which of several reasons is told is the store's
	}
	return line
}

func agree(histories [][]string, step int) bool {
	return !slices.ContainsFunc(histories, func(lines []string) bool { return lines[step] != histories[0][step] })
}

// catchUp repeats an index listing until all stores agree.
func catchUp(players []*player, histories [][]string, a asked) bool {
	step := len(histories[0]) - 1
	players[0].eventually(fmt.Sprintf("all agree on %v", a), func() (any, bool) {
		var lines []string
		for i, p := range players {
			histories[i][step] = p.line(a)
			lines = append(lines, histories[i][step])
		}
		return lines, agree(histories, step)
	})
	return true
}

// lastLines is how many lines of each history a report shows. It shows all operations.
const lastLines = 3

// report is followed by rapid's flags, seed included.
func report(names []string, list []asked, histories [][]string) string {
	var b strings.Builder
	b.WriteString("the stores disagree\noperations:\n")
	for i, a := range list {
		fmt.Fprintf(&b, "%4d %v\n", i, a)
	}
	for i, name := range names {
		fmt.Fprintf(&b, "last lines of %s:\n", name)
		for step := max(0, len(list)-lastLines); step < len(list); step++ {
			fmt.Fprintf(&b, "%4d %s\n", step, histories[i][step])
		}
	}
	b.WriteString("run it again: go test, in the folder of this test, with these flags:")
	return b.String()
}
