package stack

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Names of a limiter's table.
const (
	hashKey      = "PK"
	rangeKey     = "SK"
	indexName    = "GSI1"
	indexHash    = "GSI1PK"
	indexRange   = "GSI1SK"
	ttlAttribute = "ttl"
)

// facts are what a table is, whoever made it.
type facts struct {
	*types.TableDescription
	ttl  string // attribute whose time expires records; "" if none do
	pitr int    // days that the table can be restored to; 0 if it cannot
}

// facts asks DynamoDB for what DescribeTable does not tell.
func (s *session) facts(ctx context.Context, table *types.TableDescription) (*facts, error) {
	f := &facts{TableDescription: table}
	expiry, err := s.tables.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: &s.name})
	if err != nil {
		return nil, s.errCall("look at the table's TTL", err)
	}
	if d := expiry.TimeToLiveDescription; d != nil {
		switch d.TimeToLiveStatus {
		case types.TimeToLiveStatusEnabled, types.TimeToLiveStatusEnabling:
			f.ttl = aws.ToString(d.AttributeName)
		}
	}
	backups, err := s.tables.DescribeContinuousBackups(ctx, &dynamodb.DescribeContinuousBackupsInput{TableName: &s.name})
	if name, _ := code(err); name == "UnknownOperationException" { // DynamoDB Local has no backups
		return f, nil
	}
	if err != nil {
		return nil, s.errCall("look at the table's backups", err)
	}
	if d := backups.ContinuousBackupsDescription; d != nil && d.PointInTimeRecoveryDescription != nil {
		if p := d.PointInTimeRecoveryDescription; p.PointInTimeRecoveryStatus == types.PointInTimeRecoveryStatusEnabled {
			f.pitr = int(aws.ToInt32(p.RecoveryPeriodInDays))
			if f.pitr == 0 { // the period was fixed once
				f.pitr = 35
			}
		}
	}
	return f, nil
}

// hasKeys reports whether a key schema is these two.
func hasKeys(schema []types.KeySchemaElement, hash, sort string) bool {
	return len(schema) == 2 && aws.ToString(schema[0].AttributeName) == hash && aws.ToString(schema[1].AttributeName) == sort
}

// isLimiters reports whether a table's keys are a limiter's.
func isLimiters(table *types.TableDescription) bool {
	if !hasKeys(table.KeySchema, hashKey, rangeKey) {
		return false
	}
	return !slices.ContainsFunc(table.AttributeDefinitions, func(a types.AttributeDefinition) bool {
		name := aws.ToString(a.AttributeName)
		return slices.Contains([]string{hashKey, rangeKey, indexHash, indexRange}, name) && a.AttributeType != types.ScalarAttributeTypeS
	})
}

// index is the index GSI1, nil if there is none.
func (f *facts) index() *types.GlobalSecondaryIndexDescription {
	for i := range f.GlobalSecondaryIndexes {
		if aws.ToString(f.GlobalSecondaryIndexes[i].IndexName) == indexName {
			return &f.GlobalSecondaryIndexes[i]
		}
	}
	return nil
}

// indexFault is why the index GSI1 does not serve; "" if it does, or if there is none.
func (f *facts) indexFault() string {
	index := f.index()
	if index == nil {
		return ""
	}
	projected := index.Projection != nil && index.Projection.ProjectionType == types.ProjectionTypeKeysOnly
	if hasKeys(index.KeySchema, indexHash, indexRange) && projected {
		return ""
	}
	return fmt.Sprintf("its index %s is another one: it must have the keys %s and %s and project KEYS_ONLY", indexName, indexHash, indexRange)
}

// streams is what the table's stream tells of a change; "" if it has none.
func (f *facts) streams() types.StreamViewType {
	if d := f.StreamSpecification; d != nil && aws.ToBool(d.StreamEnabled) {
		return d.StreamViewType
	}
	return ""
}

// key is the ARN of the KMS key that encrypts the table; "" for DynamoDB's own.
func (f *facts) key() string {
	if d := f.SSEDescription; d != nil && d.Status != types.SSEStatusDisabled && d.Status != types.SSEStatusDisabling {
		return aws.ToString(d.KMSMasterKeyArn)
	}
	return ""
}

// onDemand reports whether the table needs no capacity planned.
func (f *facts) onDemand() bool {
	return f.BillingModeSummary != nil && f.BillingModeSummary.BillingMode == types.BillingModePayPerRequest
}

// unfit is why no update of a stack can make the table a limiter's; "" if one can. DynamoDB rejects another view of a stream
// that is on, and another attribute for TTL that is on; an index of the table's own would be deleted by the update.
func (f *facts) unfit() string {
	switch view := f.streams(); {
	case f.indexFault() != "":
		return f.indexFault()
	case view != "" && view != types.StreamViewTypeNewAndOldImages:
		return fmt.Sprintf("its stream shows %s: turn the stream off, or make it NEW_AND_OLD_IMAGES", view)
	case f.ttl != "" && f.ttl != ttlAttribute:
		return fmt.Sprintf("its TTL is by the attribute %s: turn TTL off, or make it %s", f.ttl, ttlAttribute)
	case len(f.LocalSecondaryIndexes) > 0:
		return "it has local indexes, which cannot be removed: create another table"
	case len(f.Replicas) > 0:
		return "it is a global table, which is another kind of resource: remove its replicas"
	}
	for _, i := range f.GlobalSecondaryIndexes {
		if name := aws.ToString(i.IndexName); name != indexName {
			return fmt.Sprintf("it has the index %s, which a deployment does not: remove that index", name)
		}
	}
	return ""
}

// missing are what a limiter uses and the table lacks, each with its consequence and its cure.
func (f *facts) missing(name string) []string {
	var all []string
	if f.index() == nil {
		all = append(all, fmt.Sprintf("index %s: entities, resources and namespaces cannot be listed: create it with the keys %s and %s (strings), KEYS_ONLY", indexName, indexHash, indexRange))
	}
	if view := f.streams(); view != types.StreamViewTypeNewAndOldImages {
		all = append(all, "stream: no usage is booked and no audit event archived: run: aws dynamodb update-table --table-name "+name+
			" --stream-specification StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES")
	}
	if f.ttl != ttlAttribute {
		all = append(all, "TTL: expired records stay, and their storage is billed: run: aws dynamodb update-time-to-live --table-name "+name+
			" --time-to-live-specification Enabled=true,AttributeName="+ttlAttribute)
	}
	return all
}
