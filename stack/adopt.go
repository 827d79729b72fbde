package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	cfn "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// existing describes a table and a bucket that exist although their stack does not.
type existing struct {
	table  *tableFacts
	bucket string // empty if there is none
	glacier,
	bucketKey string // current values of the bucket's parameters; empty for the default
}

// findExisting returns the table and the bucket that have the names of those to create; nil if there are none. It copies their
// current settings to w.named, unless the caller sets others.
func (s *session) findExisting(ctx context.Context, w *desired) (*existing, error) {
	var left existing
	var err error
	if left.table, err = s.adoptableTable(ctx, w); err != nil {
		return nil, err
	}
	if left.bucket, err = s.existingBucket(ctx, w.named[paramBucket]); err != nil {
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
	w.all = effectiveParameters(w.named, nil)
	return &left, nil
}

// adoptableTable returns the existing table, nil if there is none. It rejects a table that belongs to another deployment,
// unless the caller wants to adopt it, and one that no update can make match the template.
func (s *session) adoptableTable(ctx context.Context, w *desired) (*tableFacts, error) {
	table, err := s.waitTableReady(ctx)
	if err != nil || table == nil {
		return nil, err
	}
	if !hasLimiterKeys(table) {
		return nil, s.errCannotAdopt("its keys must be " + hashKey + " and " + rangeKey + ", both strings: choose another name")
	}
	found, err := s.readRecord(ctx)
	switch {
	case err != nil:
		return nil, err
	case found.stack != s.name && !s.o.Adopt:
		return nil, fmt.Errorf("%w: the table %s exists, %s: adopt it with --adopt (Options.Adopt), or choose another name",
			ErrForeign, s.name, s.describeOwner(found))
	}
	if err := s.checkVersion(found); err != nil {
		return nil, err
	}
	f, err := s.describeTable(ctx, table)
	if err != nil {
		return nil, err
	}
	if why := f.adoptionFault(); why != "" {
		return nil, s.errCannotAdopt(why)
	}
	if _, named := w.named[paramKey]; f.key() != "" && !named && found.stack != s.name {
		// The ARN of a key that AWS manages looks the same, but neither the bucket nor the template can use such a key.
		return nil, s.errCannotAdopt("it is encrypted with the KMS key " + f.key() +
			": if the key is your own, pass it as KMSKey (--kms-key-arn); if AWS manages it, pass an empty one")
	}
	return f, nil
}

// waitTableReady waits while the table is being created or deleted, and returns it; nil if there is none.
func (s *session) waitTableReady(ctx context.Context) (*types.TableDescription, error) {
	reported := false
	for p := (&poller{s: s}); ; {
		table, err := s.table(ctx)
		if err != nil || table == nil || table.TableStatus != types.TableStatusCreating && table.TableStatus != types.TableStatusDeleting {
			return table, err
		}
		if !reported {
			reported = true
			s.report("waiting for the table " + s.name + ", which is in " + string(table.TableStatus))
		}
		if err := p.wait(ctx, nil); err != nil {
			return nil, s.errWaiting(ctx, stoppedTable, err)
		}
	}
}

// parameters returns the template's parameters that describe the existing table and bucket.
func (left *existing) parameters() map[string]string {
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

// adopt creates a stack by importing the existing table and bucket unchanged. The update that follows applies the settings.
func (s *session) adopt(ctx context.Context, w *desired, left *existing) error {
	if left.bucket != "" {
		w.codeLater = false
	}
	c, err := s.createChangeSet(ctx, s.importOf(left, w.tags))
	if err != nil {
		return err
	}
	st, err := s.execute(ctx, c)
	if st != nil {
		w.current = st
	}
	return err
}

// importOf returns the proposal of an import that describes the table and the bucket as they are. The description must be
// exact: CloudFormation does not compare what it imports with the template, and the next update applies only the differences
// between the two templates (User Guide, "Import AWS resources into a CloudFormation stack"). A setting in the import's
// template that the table does not have would never be applied. The template of an import must not have outputs.
func (s *session) importOf(left *existing, tags map[string]string) *proposal {
	p := &proposal{kind: cfn.ChangeSetTypeImport, template: importTemplate(left), tags: tags, params: parameters(templateDefaults(template), left.parameters(), nil)}
	take := func(resource, kind, property, name string) {
		s.report("importing the " + kind + " " + name)
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

// importTemplate returns the template of an import: all parameters and conditions, and the existing resources. It describes
// only the bucket's name, so that the update sets everything else; S3 accepts settings that are already in place. DynamoDB does
// not (it rejects turning on a stream that is on), so the table is described completely.
func importTemplate(left *existing) string {
	head, _, _ := strings.Cut(template, "\n  "+resourceTable+":\n")
	if left.table != nil {
		head += resourceText(resourceTable, "", "AWS::DynamoDB::Table", left.table.properties())
	}
	if left.bucket != "" {
		head += resourceText(resourceBucket, "HasBucket", "AWS::S3::Bucket", templateObject{"BucketName": templateObject{"Ref": paramBucket}})
	}
	return head
}

// templateObject is an object in a template.
type templateObject map[string]any

// resourceText returns a resource for the template, as JSON, which is valid YAML.
func resourceText(id, condition, kind string, properties templateObject) string {
	r := templateObject{"Type": kind, "DeletionPolicy": "RetainExceptOnCreate", "UpdateReplacePolicy": "Retain", "Properties": properties}
	if condition != "" {
		r["Condition"] = condition
	}
	text, _ := json.Marshal(r) // cannot fail: maps, slices and scalars
	return "\n  " + id + ": " + string(text) + "\n"
}

// properties returns the table's properties for the template. The SDK's types for keys and attributes have the names of
// CloudFormation's properties.
func (f *tableFacts) properties() templateObject {
	p := templateObject{
		"TableName": templateObject{"Ref": "AWS::StackName"}, "KeySchema": f.KeySchema, "BillingMode": "PROVISIONED",
		"DeletionProtectionEnabled":        aws.ToBool(f.DeletionProtectionEnabled),
		"PointInTimeRecoverySpecification": templateObject{"PointInTimeRecoveryEnabled": f.pitr > 0},
	}
	if f.onDemand() {
		p["BillingMode"] = "PAY_PER_REQUEST"
	} else {
		p["ProvisionedThroughput"] = capacity(f.ProvisionedThroughput)
	}
	p["AttributeDefinitions"] = slices.SortedFunc(slices.Values(f.AttributeDefinitions), compareAttributes)
	if i := f.index(); i != nil {
		index := templateObject{"IndexName": indexName, "KeySchema": i.KeySchema, "Projection": templateObject{"ProjectionType": string(i.Projection.ProjectionType)}}
		if !f.onDemand() {
			index["ProvisionedThroughput"] = capacity(i.ProvisionedThroughput)
		}
		p["GlobalSecondaryIndexes"] = []templateObject{index}
	}
	if view := f.streamView(); view != "" {
		p["StreamSpecification"] = templateObject{"StreamViewType": string(view)}
	}
	if f.ttl != "" {
		p["TimeToLiveSpecification"] = templateObject{"AttributeName": f.ttl, "Enabled": true}
	}
	if f.pitr > 0 {
		p["PointInTimeRecoverySpecification"] = templateObject{"PointInTimeRecoveryEnabled": true, "RecoveryPeriodInDays": strconv.Itoa(f.pitr)}
	}
	if key := f.key(); key != "" {
		p["SSESpecification"] = templateObject{"SSEEnabled": true, "SSEType": "KMS", "KMSMasterKeyId": key}
	}
	return p
}

func capacity(d *types.ProvisionedThroughputDescription) templateObject {
	if d == nil {
		d = &types.ProvisionedThroughputDescription{}
	}
	return templateObject{"ReadCapacityUnits": max(1, aws.ToInt64(d.ReadCapacityUnits)), "WriteCapacityUnits": max(1, aws.ToInt64(d.WriteCapacityUnits))}
}

// compareAttributes orders attributes as the template does: DescribeTable returns them in any order, and another order would
// be a change.
func compareAttributes(a, b types.AttributeDefinition) int {
	order := []string{hashKey, rangeKey, indexHash, indexRange}
	return slices.Index(order, aws.ToString(a.AttributeName)) - slices.Index(order, aws.ToString(b.AttributeName))
}
