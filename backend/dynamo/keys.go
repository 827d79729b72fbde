package dynamo

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/zeroae/zae-limiter-go/backend"
)

// Attributes and indexes of the table, as the deployment's template has them too.
const (
	hashKey   = "PK"
	rangeKey  = "SK"
	indexName = "GSI1"
	indexHash = "GSI1PK"
	indexSort = "GSI1SK"
	expiresAt = "ttl"
)

// mark is the attribute that begins the names which are the driver's own, beside those above.
const mark = '~'

// emptyField is set where nothing else would be: an update that sets nothing creates no item.
const emptyField = "~"

// The record that says which version of the schema the table has. It stands in the reserved namespace, and no namespace
// policy may write there.
const (
	schemaHash    = "_/schema|"
	schemaRange   = "schema"
	schemaField   = "version"
	schemaVersion = 1
)

// attributeOf is the attribute of a layout's field. No field meets an attribute that has another meaning.
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

// fieldOf is the opposite of attributeOf; false for attributes that are no fields.
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

// A partition key is NAMESPACE/PARTITION, the namespace escaped so that the first slash ends it: policies can then
// hold a caller to namespaces (dynamodb:LeadingKeys), and no two keys meet. The sort key is the key's own.

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

// longPlace is from where on the index has a digest in place of a partition: every index entry has the record's ids in
// its primary key anyway, and its own keys are paid for with each record.
const longPlace = 25

// indexHashOf is the index's partition key. Nothing needs to be read from it, so a long partition is a digest of 128 bits
// (SHA-256), which no short one looks like.
func indexHashOf(namespace, partition string) string {
	if len(partition) >= longPlace || partition[0] == mark {
		sum := sha256.Sum256([]byte(partition))
		partition = string(mark) + base64.RawURLEncoding.EncodeToString(sum[:16])
	}
	return hashOf(namespace, partition)
}

// item is what the SDK speaks of.
type item = map[string]types.AttributeValue

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func primary(k *backend.Key) item {
	return item{hashKey: text(hashOf(k.Namespace, k.Partition)), rangeKey: text(k.Sort)}
}

// textOf is a text attribute, "" where there is none.
func textOf(of item, attribute string) string {
	if v, ok := of[attribute].(*types.AttributeValueMemberS); ok {
		return v.Value
	}
	return ""
}

// keyIn is the key in an item.
func keyIn(of item) backend.Key { return keyOf(textOf(of, hashKey), textOf(of, rangeKey)) }
