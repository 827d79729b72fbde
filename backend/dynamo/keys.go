package dynamo

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/zeroae/zae-limiter-go/backend"
)

// The attributes and the index of the table, as in the deployment's template.
const (
	hashKey   = "PK"
	rangeKey  = "SK"
	indexName = "GSI1"
	indexHash = "GSI1PK"
	indexSort = "GSI1SK"
	expiresAt = "ttl"
)

// mark is the first character of attributes that are the driver's own, besides those above.
const mark = '~'

// emptyField is set by an update that sets nothing else, because such an update creates no item.
const emptyField = "~"

// The record with the version of the table's schema. It is in the reserved namespace, which no policy for a namespace may
// write.
const (
	schemaHash    = "_/schema|"
	schemaRange   = "schema"
	schemaField   = "version"
	schemaVersion = 1
)

// attributeOf returns the attribute of a layout's field, which has no other meaning.
func attributeOf(field string) string {
	switch field {
	case hashKey, rangeKey, indexHash, indexSort, expiresAt:
		return string(mark) + field
	}
	if field[0] == mark {
		return string(mark) + field
	}
	return field
}

// fieldOf returns the field of an attribute, and whether it is one.
func fieldOf(attribute string) (string, bool) {
	switch attribute {
	case hashKey, rangeKey, indexHash, indexSort, expiresAt, emptyField:
		return "", false
	}
	if attribute[0] == mark {
		return attribute[1:], true
	}
	return attribute, true
}

// A partition key is NAMESPACE/PARTITION. The namespace is escaped, so that the first slash ends it: then policies can restrict
// a caller to namespaces (dynamodb:LeadingKeys), and different keys stay different. The sort key is that of the key.

var (
	escapes   = strings.NewReplacer("%", "%25", "/", "%2F")
	unescapes = strings.NewReplacer("%25", "%", "%2F", "/")
)

func hashOf(namespace, partition string) string {
	if strings.ContainsAny(namespace, "%/") {
		namespace = escapes.Replace(namespace)
	}
	return namespace + "/" + partition
}

func keyOf(hash, sort string) backend.Key {
	namespace, partition, _ := strings.Cut(hash, "/")
	if strings.Contains(namespace, "%") {
		namespace = unescapes.Replace(namespace)
	}
	return backend.Key{Namespace: namespace, Partition: partition, Sort: sort}
}

// longPlace is the least length of a partition that the index replaces by a digest. Every index entry has the record's ids in
// its primary key, and its own keys add to the size that each write of the record pays for.
const longPlace = 25

// indexHashOf returns the index's partition key. It is never decoded, so that a long partition can be a digest of 128 bits
// (SHA-256), which looks like no short one.
func indexHashOf(namespace, partition string) string {
	if len(partition) >= longPlace || partition[0] == mark {
		sum := sha256.Sum256([]byte(partition))
		partition = string(mark) + base64.RawURLEncoding.EncodeToString(sum[:16])
	}
	return hashOf(namespace, partition)
}

// item is an item of the SDK.
type item = map[string]types.AttributeValue

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func primary(k *backend.Key) item {
	return item{hashKey: text(hashOf(k.Namespace, k.Partition)), rangeKey: text(k.Sort)}
}

// textOf returns a text attribute, or "" if there is none.
func textOf(of item, attribute string) string {
	if v, ok := of[attribute].(*types.AttributeValueMemberS); ok {
		return v.Value
	}
	return ""
}

// keyIn returns the key of an item.
func keyIn(of item) backend.Key { return keyOf(textOf(of, hashKey), textOf(of, rangeKey)) }
