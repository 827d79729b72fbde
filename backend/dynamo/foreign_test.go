package dynamo_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/dynamo"
	. "github.com/zeroae/zae-limiter-go/backend/dynamo/dynamotest"
)

// raw is an item as somebody writes it who does not use this package.
type raw = map[string]types.AttributeValue

func rawItem(pk, sk, indexPK, indexSK string) raw {
	of := raw{"PK": &types.AttributeValueMemberS{Value: pk}, "SK": &types.AttributeValueMemberS{Value: sk}}
	if indexPK != "" {
		of["GSI1PK"], of["GSI1SK"] = &types.AttributeValueMemberS{Value: indexPK}, &types.AttributeValueMemberS{Value: indexSK}
	}
	return of
}

// mustPutRaw writes items, 25 in a request.
func mustPutRaw(t *testing.T, table string, o *dynamo.Options, items ...raw) {
	t.Helper()
	client := dynamodb.NewFromConfig(*o.Config)
	for some := range slices.Chunk(items, 25) {
		var requests []types.WriteRequest
		for _, of := range some {
			requests = append(requests, types.WriteRequest{PutRequest: &types.PutRequest{Item: of}})
		}
		reply, err := client.BatchWriteItem(t.Context(), &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{table: requests}})
		if err != nil || len(reply.UnprocessedItems) > 0 {
			t.Fatalf("BatchWriteItem: %v, %v", reply, err)
		}
	}
}

// TestForeignEntries has entries in a namespace's index that another namespace's items carry: as many as a thousand, at the
// beginning, between and behind the namespace's own. They are left out and counted, pages are full, and no call reads more
// than a bounded number of entries.
func TestForeignEntries(t *testing.T) {
	t.Parallel()
	name, o := Table(t)
	counter := NewInjector(t, nil)
	s := mustOpen(t, name, counter.Options(o))
	var items []raw
	foreign := func(sort string, n int) {
		for i := range n {
			items = append(items, rawItem(fmt.Sprintf("blue/%s%d", sort, i), "x", "red/list", sort))
		}
	}
	own := []string{"a", "m", "n", "x"}
	for _, sort := range own {
		items = append(items, rawItem("red/p", sort, "red/list", sort))
	}
	foreign("0", 3)
	foreign("b", 2300)
	foreign("n", 2)
	foreign("z", 1)
	// Neither escapes nor the lack of a slash make a key one of the namespace.
	items = append(items, rawItem("red", "x", "red/list", "c"), rawItem("red%2F/p", "x", "red/list", "c"), rawItem("redder/p", "x", "red/list", "c"))
	mustPutRaw(t, name, o, items...)
	total := len(items) - len(own)
	for _, size := range []int{1, 2, 3, 4, 1000} {
		for _, reverse := range []bool{false, true} {
			q := backend.Query{Namespace: "red", Partition: "list", Index: true, Size: size, Reverse: reverse}
			var got []string
			calls, left := 0, 0
			for {
				counter.Reset()
				page, err := s.List(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				if n := counter.Count("Query"); n > 12 || page.Foreign > 2*backend.MaxPage {
					t.Errorf("pages of %d: one call makes %d requests and leaves out %d entries", size, n, page.Foreign)
				}
				if page.Rest == nil && page.More && len(page.Items) < size {
					t.Errorf("a page of %d, not %d, though more follows", len(page.Items), size)
				}
				calls, left = calls+1, left+page.Foreign
				for _, it := range page.Items {
					if it.Key.Namespace != "red" {
						t.Fatalf("the listing has %v", it.Key)
					}
					got = append(got, it.Sort)
				}
				if !page.More {
					break
				}
				if q.After = page.Rest; q.After == nil {
					q.After = &page.Items[len(page.Items)-1]
				}
			}
			if reverse {
				slices.Reverse(got)
			}
			if !slices.Equal(got, own) || calls > 10 || left < total {
				t.Errorf("pages of %d, backwards %v: %s in %d calls, %d of %d foreign entries counted", size, reverse, strings.Join(got, " "), calls, left, total)
			}
		}
	}
}
