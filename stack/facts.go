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

// tableFacts describes a table, whichever tool created it.
type tableFacts struct {
	*types.TableDescription
	ttl  string // name of the TTL attribute; empty if TTL is off
	pitr int    // days of point-in-time recovery; 0 if it is off
}

// describeTable reads the TTL and the backups of a table, which DescribeTable does not return.
func (s *session) describeTable(ctx context.Context, table *types.TableDescription) (*tableFacts, error) {
	f := &tableFacts{TableDescription: table}
	expiry, err := s.tables.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: &s.name})
	if err != nil {
		return nil, s.errCall("read the table's TTL", err)
	}
	if d := expiry.TimeToLiveDescription; d != nil {
		switch d.TimeToLiveStatus {
		case types.TimeToLiveStatusEnabled, types.TimeToLiveStatusEnabling:
			f.ttl = aws.ToString(d.AttributeName)
		}
	}
	backups, err := s.tables.DescribeContinuousBackups(ctx, &dynamodb.DescribeContinuousBackupsInput{TableName: &s.name})
	if hasCode(err, "UnknownOperationException") { // DynamoDB Local has no backups
		return f, nil
	}
	if err != nil {
		return nil, s.errCall("read the table's backups", err)
	}
	if d := backups.ContinuousBackupsDescription; d != nil && d.PointInTimeRecoveryDescription != nil {
		if p := d.PointInTimeRecoveryDescription; p.PointInTimeRecoveryStatus == types.PointInTimeRecoveryStatusEnabled {
			f.pitr = int(aws.ToInt32(p.RecoveryPeriodInDays))
			if f.pitr == 0 { // older tables have the fixed period and report none
				f.pitr = 35
			}
		}
	}
	return f, nil
}

// hasKeys reports whether a key schema has exactly these keys.
func hasKeys(schema []types.KeySchemaElement, hash, sort string) bool {
	return len(schema) == 2 && aws.ToString(schema[0].AttributeName) == hash && aws.ToString(schema[1].AttributeName) == sort
}

// hasLimiterKeys reports whether a table's keys are a limiter's.
func hasLimiterKeys(table *types.TableDescription) bool {
	if !hasKeys(table.KeySchema, hashKey, rangeKey) {
		return false
	}
	return !slices.ContainsFunc(table.AttributeDefinitions, func(a types.AttributeDefinition) bool {
		name := aws.ToString(a.AttributeName)
		return slices.Contains([]string{hashKey, rangeKey, indexHash, indexRange}, name) && a.AttributeType != types.ScalarAttributeTypeS
	})
}

// index returns the index GSI1, nil if there is none.
func (f *tableFacts) index() *types.GlobalSecondaryIndexDescription {
	for i := range f.GlobalSecondaryIndexes {
		if aws.ToString(f.GlobalSecondaryIndexes[i].IndexName) == indexName {
			return &f.GlobalSecondaryIndexes[i]
		}
	}
	return nil
}

// indexFault says why the index GSI1 cannot be used; it is empty if the index is right or missing.
func (f *tableFacts) indexFault() string {
	index := f.index()
	if index == nil {
		return ""
	}
	projected := index.Projection != nil && index.Projection.ProjectionType == types.ProjectionTypeKeysOnly
	if hasKeys(index.KeySchema, indexHash, indexRange) && projected {
		return ""
	}
	return fmt.Sprintf("its index %s must have the keys %s and %s and project KEYS_ONLY", indexName, indexHash, indexRange)
}

// streamView returns the view type of the table's stream; empty if it has none.
func (f *tableFacts) streamView() types.StreamViewType {
	if d := f.StreamSpecification; d != nil && aws.ToBool(d.StreamEnabled) {
		return d.StreamViewType
	}
	return ""
}

// key returns the ARN of the KMS key that encrypts the table; empty for DynamoDB's own key.
func (f *tableFacts) key() string {
	if d := f.SSEDescription; d != nil && d.Status != types.SSEStatusDisabled && d.Status != types.SSEStatusDisabling {
		return aws.ToString(d.KMSMasterKeyArn)
	}
	return ""
}

// onDemand reports whether the table has on-demand capacity.
func (f *tableFacts) onDemand() bool {
	return f.BillingModeSummary != nil && f.BillingModeSummary.BillingMode == types.BillingModePayPerRequest
}

// adoptionFault says why no update can make the table match the template; it is empty if one can. DynamoDB rejects another view
// type for an enabled stream and another attribute for enabled TTL, and the update would delete the table's other indexes.
func (f *tableFacts) adoptionFault() string {
	switch view := f.streamView(); {
	case f.indexFault() != "":
		return f.indexFault()
	case view != "" && view != types.StreamViewTypeNewAndOldImages:
		return fmt.Sprintf("its stream has the view type %s: turn the stream off, or set it to NEW_AND_OLD_IMAGES", view)
	case f.ttl != "" && f.ttl != ttlAttribute:
		return fmt.Sprintf("its TTL attribute is %s: turn TTL off, or set it to %s", f.ttl, ttlAttribute)
	case len(f.LocalSecondaryIndexes) > 0:
		return "it has local indexes, which cannot be removed: create another table"
	case len(f.Replicas) > 0:
		return "it is a global table, which is another type of resource: remove its replicas"
	}
	for _, i := range f.GlobalSecondaryIndexes {
		if name := aws.ToString(i.IndexName); name != indexName {
			return fmt.Sprintf("it has the index %s, which a deployment does not have: delete that index", name)
		}
	}
	return ""
}

// missing lists what a limiter needs and the table lacks, each with the consequence and what to do.
func (f *tableFacts) missing(name string) []string {
	var all []string
	if f.index() == nil {
		all = append(all, fmt.Sprintf("index %s: entities, resources and namespaces cannot be listed: create it with the keys %s and %s (strings), KEYS_ONLY", indexName, indexHash, indexRange))
	}
	if view := f.streamView(); view != types.StreamViewTypeNewAndOldImages {
		all = append(all, "stream: no usage is recorded and no audit event archived: run: aws dynamodb update-table --table-name "+name+
			" --stream-specification StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES")
	}
	if f.ttl != ttlAttribute {
		all = append(all, "TTL: expired records are not deleted, and their storage is billed: run: aws dynamodb update-time-to-live --table-name "+name+
			" --time-to-live-specification Enabled=true,AttributeName="+ttlAttribute)
	}
	return all
}
