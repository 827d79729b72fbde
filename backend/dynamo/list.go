package dynamo

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/zeroae/zae-limiter-go/backend"
)

// List implements [backend.Backend]. Primary listings are consistent; index listings are as fresh as the index.
func (s *Store) List(ctx context.Context, q backend.Query) (backend.Keys, error) {
	if err := s.begin(ctx); err != nil {
		return backend.Keys{}, err
	}
	if err := q.Validate(); err != nil {
		return backend.Keys{}, err
	}
	var page backend.Keys
	l := newListing(s, &q)
	if l == nil {
		return page, nil
	}
	bill := newBill(ctx)
	defer bill.pay()
	for {
		more, err := l.next(ctx, bill, &page)
		if err != nil {
			return backend.Keys{}, err
		}
		if page.More = len(page.Items) > q.Size; page.More {
			page.Items = page.Items[:q.Size]
		}
		if page.More || !more {
			return page, nil
		}
		if page.Foreign >= mostForeign {
			page.More, page.Rest = true, l.rest()
			return page, nil
		}
	}
}

// mostForeign is how many foreign entries end a call before its page is full, so that a call stays bounded, however many
// entries somebody writes into another namespace's index.
const mostForeign = backend.MaxPage

// listing is a query in progress.
type listing struct {
	s      *Store
	q      *backend.Query
	sort   string // the attribute that orders it
	prefix string // of the primary keys of the query's namespace
	input  dynamodb.QueryInput
}

// newListing returns nil if the listing is empty in any case.
func newListing(s *Store, q *backend.Query) *listing {
	l := &listing{s: s, q: q, sort: rangeKey, prefix: hashOf(q.Namespace, "")}
	hash, of := hashKey, hashOf(q.Namespace, q.Partition)
	if q.Index {
		hash, of, l.sort = indexHash, indexHashOf(q.Namespace, q.Partition), indexSort
		l.input.IndexName = aws.String(indexName)
	}
	names, values := map[string]string{"#h": hash, "#s": l.sort}, item{":h": text(of)}
	condition := "#h=:h"
	from, to := q.From, q.To
	if a := q.After; a != nil { // DynamoDB refuses a start outside of the bounds
		if !q.Reverse && to != "" && a.Sort >= to || q.Reverse && a.Sort < from {
			return nil
		}
		if a.Sort >= from && (to == "" || a.Sort < to) {
			l.input.ExclusiveStartKey = l.position(a, of)
		}
	}
	switch { // BETWEEN includes its upper bound, which is left out below
	case l.input.ExclusiveStartKey != nil && q.After.Sort == from && q.Reverse:
		condition += " AND #s=:f" // DynamoDB refuses a start at the lower bound of BETWEEN, although equal sorts may follow
		values[":f"] = text(from)
	case from != "" && to != "":
		condition += " AND #s BETWEEN :f AND :t"
		values[":f"], values[":t"] = text(from), text(to)
	case from != "":
		condition += " AND #s>=:f"
		values[":f"] = text(from)
	case to != "":
		condition += " AND #s<:t"
		values[":t"] = text(to)
	}
	projection := "#h,#s"
	if q.Index {
		names["#p"], names["#r"] = hashKey, rangeKey
		projection += ",#p,#r"
	}
	l.input.TableName, l.input.KeyConditionExpression, l.input.ProjectionExpression = &s.table, &condition, &projection
	l.input.ExpressionAttributeNames, l.input.ExpressionAttributeValues = names, values
	l.input.ConsistentRead, l.input.ScanIndexForward = aws.Bool(!q.Index), aws.Bool(!q.Reverse)
	return l
}

// position returns the start key behind an item of the listing, whose partition key is hash.
func (l *listing) position(a *backend.Item, hash string) item {
	at := primary(&a.Key)
	if l.q.Index {
		at[indexHash], at[indexSort] = text(hash), text(a.Sort)
	}
	return at
}

// next appends the next part of the listing to the page, up to one item more than its size, and reports whether there may be
// more.
func (l *listing) next(ctx context.Context, bill *bill, page *backend.Keys) (more bool, err error) {
	size := min(l.q.Size-len(page.Items)+1+page.Foreign, backend.MaxPage+1) // if there were foreign entries, more may follow
	l.input.Limit = aws.Int32(int32(size))                                  //nolint:gosec // at most MaxPage + 1
	l.input.ReturnConsumedCapacity = bill.wanted()
	reply, err := l.s.api.reads.Query(ctx, &l.input)
	bill.sent()
	if err != nil {
		return false, classify(ctx, l.s.table, err, reading)
	}
	l.s.dated(reply.ResultMetadata)
	bill.capacity(reply.ConsumedCapacity)
	for _, of := range reply.Items {
		switch sort := textOf(of, l.sort); {
		case !strings.HasPrefix(textOf(of, hashKey), l.prefix):
			page.Foreign++
		case l.q.To == "" || sort < l.q.To:
			page.Items = append(page.Items, backend.Item{Key: keyIn(of), Sort: sort})
		}
	}
	l.input.ExclusiveStartKey = reply.LastEvaluatedKey
	return reply.LastEvaluatedKey != nil, nil
}

// rest returns where another call continues the listing.
func (l *listing) rest() *backend.Item {
	at := l.input.ExclusiveStartKey
	return &backend.Item{Key: keyIn(at), Sort: textOf(at, l.sort)}
}

// scanned is the least number of records that one request of a scan reads.
const scanned = 1000

// Scan is a [backend.ScanFunc], in DynamoDB's order of keys. It reads the whole table, all namespaces included, so that it is
// for rare calls only. A position is the length of a partition key, the partition key and the sort key.
func (s *Store) Scan(ctx context.Context, namespace, after string, size int) (keys []backend.Key, next string, err error) {
	if err := s.begin(ctx); err != nil {
		return nil, "", err
	}
	if err := (backend.Key{Namespace: namespace, Partition: "-", Sort: "-"}).Validate(); err != nil {
		return nil, "", err
	}
	if size < 1 {
		return nil, "", badSize(size)
	}
	bill := newBill(ctx)
	defer bill.pay()
	input := &dynamodb.ScanInput{
		TableName: &s.table, ConsistentRead: aws.Bool(true), Limit: aws.Int32(int32(max(min(size, 1<<20), scanned))),
		FilterExpression: aws.String("begins_with(#h,:h)"), ProjectionExpression: aws.String("#h,#s"),
		ExpressionAttributeNames:  map[string]string{"#h": hashKey, "#s": rangeKey},
		ExpressionAttributeValues: item{":h": text(hashOf(namespace, ""))},
		ReturnConsumedCapacity:    bill.wanted(),
	}
	if input.ExclusiveStartKey, err = positionOf(after, namespace); err != nil {
		return nil, "", err
	}
	for {
		reply, err := s.api.reads.Scan(ctx, input)
		bill.sent()
		if err != nil {
			return nil, "", classify(ctx, s.table, err, reading)
		}
		s.dated(reply.ResultMetadata)
		bill.capacity(reply.ConsumedCapacity)
		for i, of := range reply.Items {
			if textOf(of, hashKey) == schemaHash {
				continue // the driver's own
			}
			if keys = append(keys, keyIn(of)); len(keys) == size && (i+1 < len(reply.Items) || reply.LastEvaluatedKey != nil) {
				return keys, scanPosition(of), nil
			}
		}
		if input.ExclusiveStartKey = reply.LastEvaluatedKey; reply.LastEvaluatedKey == nil {
			return keys, "", nil
		}
	}
}

func badSize(size int) error {
	return fmt.Errorf("%w: dynamo: the size is %d: use at least 1", backend.ErrInvalid, size)
}

func scanPosition(of item) string {
	hash := textOf(of, hashKey)
	return strconv.Itoa(len(hash)) + ":" + hash + textOf(of, rangeKey)
}

// positionOf returns the start key of a position, or nil for the beginning.
func positionOf(after, namespace string) (item, error) {
	if after == "" {
		return nil, nil
	}
	length, parts, _ := strings.Cut(after, ":")
	n, err := strconv.Atoi(length)
	if err != nil || n < 1 || n >= len(parts) || !strings.HasPrefix(parts, hashOf(namespace, "")) {
		return nil, fmt.Errorf("%w: dynamo: %q is not a position of a scan: pass the one that Scan returned", backend.ErrInvalid, after)
	}
	return item{hashKey: text(parts[:n]), rangeKey: &types.AttributeValueMemberS{Value: parts[n:]}}, nil
}
