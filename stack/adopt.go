package stack

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	cfn "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// remains are a table and a bucket that are there before their stack is.
type remains struct {
	table  *facts
	bucket string // "" for none
	glacier,
	bucketKey string // what the bucket's parameters are now; "" for the default
}

// leftBehind looks for a table, and for a bucket, that have the names of what is to be made; nil if there are none. Whatever
// the caller does not name is kept as it is there: w.named has it afterwards.
func (s *session) leftBehind(ctx context.Context, w *wanted) (*remains, error) {
	var left remains
	var err error
	if left.table, err = s.adoptable(ctx, w); err != nil {
		return nil, err
	}
	if left.bucket, err = s.oldBucket(ctx, w.named[paramBucket]); err != nil {
		return nil, err
	}
	if left.table == nil && left.bucket == "" {
		return nil, nil
	}
	if left.bucket != "" {
		if left.glacier, left.bucketKey, err = s.bucketSettings(ctx, left.bucket); err != nil {
			return nil, err
		}
	}
	for name, value := range left.parameters() {
		if _, named := w.named[name]; !named {
			w.named[name] = value
		}
	}
	w.all = effective(w.named, nil)
	return &left, nil
}

// adoptable is the table of the name, nil if there is none. It is rejected unless its schema record names this stack, or
// the caller wants it adopted; and if no update could make it what the template declares.
func (s *session) adoptable(ctx context.Context, w *wanted) (*facts, error) {
	table, err := s.restingTable(ctx)
	if err != nil || table == nil {
		return nil, err
	}
	if !isLimiters(table) {
		return nil, s.errUnfit("its keys are not a limiter's, " + hashKey + " and " + rangeKey + ", both strings: choose another name")
	}
	found, err := s.record(ctx)
	switch {
	case err != nil:
		return nil, err
	case found.stack != s.name && !s.o.Adopt:
		return nil, s.errUnclaimed(found)
	}
	if err := s.checkVersion(found); err != nil {
		return nil, err
	}
	f, err := s.facts(ctx, table)
	if err != nil {
		return nil, err
	}
	if why := f.unfit(); why != "" {
		return nil, s.errUnfit(why)
	}
	if _, named := w.named[paramKey]; f.key() != "" && !named && found.stack != s.name {
		// A key that AWS manages for DynamoDB has an ARN like any other, and serves neither the bucket nor the template.
		return nil, s.errUnfit("it is encrypted with the KMS key " + f.key() +
			": if that is your own key pass it as KMSKey (--kms-key-arn), and if AWS manages it, or you want DynamoDB's own, pass an empty one")
	}
	return f, nil
}

// restingTable is the table once it is neither being created nor deleted.
func (s *session) restingTable(ctx context.Context) (*types.TableDescription, error) {
	said := false
	for p := (&patience{s: s}); ; {
		table, err := s.table(ctx)
		if err != nil || table == nil || table.TableStatus != types.TableStatusCreating && table.TableStatus != types.TableStatusDeleting {
			return table, err
		}
		if !said {
			said = true
			s.say("waiting for the table " + s.name + ", which is in " + string(table.TableStatus))
		}
		if err := p.after(ctx, nil); err != nil {
			return nil, s.errWaiting(ctx, err)
		}
	}
}

// parameters are those that describe what is there.
func (left *remains) parameters() map[string]string {
	all := map[string]string{}
	if left.bucket != "" {
		all[paramBucket] = left.bucket
		if left.glacier != "" {
			all[paramGlacier] = left.glacier
		}
		if left.bucketKey != "" {
			all[paramKey] = left.bucketKey
		}
	}
	if f := left.table; f != nil {
		all[paramProtection] = strconv.FormatBool(aws.ToBool(f.DeletionProtectionEnabled))
		all[paramPITR] = strconv.Itoa(f.pitr)
		all[paramKey] = f.key()
	}
	return all
}

// adopt makes a stack around what is there, as it is. The change that follows makes it what is wanted.
func (s *session) adopt(ctx context.Context, w *wanted, left *remains) error {
	if left.bucket != "" {
		w.later = false
	}
	c, err := s.propose(ctx, s.importOf(left, w.tags))
	if err != nil {
		return err
	}
	st, err := s.carryOut(ctx, c)
	if st != nil {
		w.has = st
	}
	return err
}

// importOf describes table and bucket as they are. CloudFormation does not compare what it imports with the template, and
// the next update looks only at what differs between the two templates (its User Guide, "Import AWS resources into a
// CloudFormation stack", recommends drift detection for this reason): what the import's template claimed and the table did
// not have would be missing for ever. An import may have no outputs.
func (s *session) importOf(left *remains, tags map[string]string) *proposal {
	p := &proposal{kind: cfn.ChangeSetTypeImport, template: importing(left), tags: tags, params: parameters(left.parameters(), nil)}
	take := func(resource, kind, property, name string) {
		s.say("taking in the " + kind + " " + name + " as it is")
		p.imports = append(p.imports, cfn.ResourceToImport{
			LogicalResourceId: &resource, ResourceType: &kind, ResourceIdentifier: map[string]string{property: name},
		})
	}
	if left.table != nil {
		take(resourceTable, "AWS::DynamoDB::Table", "TableName", s.name)
	}
	if left.bucket != "" {
		take(resourceBucket, "AWS::S3::Bucket", "BucketName", left.bucket)
	}
	return p
}

// importing is the template of an import: the parameters and conditions of the whole, and what is there. Of a bucket it
// claims nothing but the name, so that the update sets all that the template has: S3 takes a setting that is there already.
// DynamoDB does not (a stream that is on cannot be turned on), so the table is described.
func importing(left *remains) string {
	head, _, _ := strings.Cut(template, "\n  "+resourceTable+":\n")
	if left.table != nil {
		head += resourceOf(resourceTable, "", "AWS::DynamoDB::Table", left.table.properties())
	}
	if left.bucket != "" {
		head += resourceOf(resourceBucket, "HasBucket", "AWS::S3::Bucket", literal{"BucketName": literal{"Ref": paramBucket}})
	}
	return head
}

// literal is an object of a template.
type literal map[string]any

// resourceOf is a resource of a template. JSON is YAML.
func resourceOf(id, condition, kind string, properties literal) string {
	r := literal{"Type": kind, "DeletionPolicy": "RetainExceptOnCreate", "UpdateReplacePolicy": "Retain", "Properties": properties}
	if condition != "" {
		r["Condition"] = condition
	}
	text, _ := json.Marshal(r) // maps, slices and scalars
	return "\n  " + id + ": " + string(text) + "\n"
}

// properties describe the table as CloudFormation has them.
func (f *facts) properties() literal {
	p := literal{
		"TableName": literal{"Ref": "AWS::StackName"}, "KeySchema": keysOf(f.KeySchema), "BillingMode": "PROVISIONED",
		"DeletionProtectionEnabled":        aws.ToBool(f.DeletionProtectionEnabled),
		"PointInTimeRecoverySpecification": literal{"PointInTimeRecoveryEnabled": f.pitr > 0},
	}
	if f.onDemand() {
		p["BillingMode"] = "PAY_PER_REQUEST"
	} else {
		p["ProvisionedThroughput"] = capacity(f.ProvisionedThroughput)
	}
	var attributes []literal
	for _, a := range f.AttributeDefinitions {
		attributes = append(attributes, literal{"AttributeName": aws.ToString(a.AttributeName), "AttributeType": string(a.AttributeType)})
	}
	slices.SortFunc(attributes, inOrderOfTemplate)
	p["AttributeDefinitions"] = attributes
	if i := f.index(); i != nil {
		index := literal{"IndexName": indexName, "KeySchema": keysOf(i.KeySchema), "Projection": literal{"ProjectionType": string(i.Projection.ProjectionType)}}
		if !f.onDemand() {
			index["ProvisionedThroughput"] = capacity(i.ProvisionedThroughput)
		}
		p["GlobalSecondaryIndexes"] = []literal{index}
	}
	if view := f.streams(); view != "" {
		p["StreamSpecification"] = literal{"StreamViewType": string(view)}
	}
	if f.ttl != "" {
		p["TimeToLiveSpecification"] = literal{"AttributeName": f.ttl, "Enabled": true}
	}
	if f.pitr > 0 {
		p["PointInTimeRecoverySpecification"] = literal{"PointInTimeRecoveryEnabled": true, "RecoveryPeriodInDays": strconv.Itoa(f.pitr)}
	}
	if key := f.key(); key != "" {
		p["SSESpecification"] = literal{"SSEEnabled": true, "SSEType": "KMS", "KMSMasterKeyId": key}
	}
	return p
}

func keysOf(schema []types.KeySchemaElement) (keys []literal) {
	for _, k := range schema {
		keys = append(keys, literal{"AttributeName": aws.ToString(k.AttributeName), "KeyType": string(k.KeyType)})
	}
	return keys
}

func capacity(d *types.ProvisionedThroughputDescription) literal {
	if d == nil {
		d = &types.ProvisionedThroughputDescription{}
	}
	return literal{"ReadCapacityUnits": max(1, aws.ToInt64(d.ReadCapacityUnits)), "WriteCapacityUnits": max(1, aws.ToInt64(d.WriteCapacityUnits))}
}

// inOrderOfTemplate compares attributes by their place in the template: their order in DescribeTable means nothing, and
// another one would be a change.
func inOrderOfTemplate(a, b literal) int {
	place := func(o literal) int {
		return slices.Index([]any{hashKey, rangeKey, indexHash, indexRange}, o["AttributeName"])
	}
	return place(a) - place(b)
}
