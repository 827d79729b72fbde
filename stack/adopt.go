package stack

import (
	"context"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	cfn "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// remains are what an earlier stack of the name has left.
type remains struct {
	table  *types.TableDescription
	bucket string // "" for none
}

// leftBehind looks for a table, and for a bucket, that have the names of what is to be made; nil if there are none.
func (s *session) leftBehind(ctx context.Context, w *wanted) (*remains, error) {
	var left remains
	var err error
	if left.table, err = s.ourTable(ctx); err != nil {
		return nil, err
	}
	if bucket := w.named[paramBucket]; bucket != "" {
		there, err := s.hasBucket(ctx, bucket)
		if err != nil {
			return nil, err
		}
		if there {
			left.bucket = bucket
		}
	}
	if left.table == nil && left.bucket == "" {
		return nil, nil
	}
	return &left, nil
}

// adopt makes a stack around what an earlier one has left, as it is. The change that follows makes it what is wanted.
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

// importOf has table and bucket as they are: an import changes nothing.
func (s *session) importOf(left *remains, tags map[string]string) *proposal {
	p := &proposal{kind: cfn.ChangeSetTypeImport, template: importing(left.table != nil, left.bucket != ""), tags: tags}
	named := map[string]string{}
	take := func(resource, kind, property, name string) {
		s.say("taking in the " + kind + " " + name + " of an earlier deployment")
		p.imports = append(p.imports, cfn.ResourceToImport{
			LogicalResourceId: &resource, ResourceType: &kind, ResourceIdentifier: map[string]string{property: name},
		})
	}
	if left.table != nil {
		take(resourceTable, "AWS::DynamoDB::Table", "TableName", s.name)
		named[paramProtection] = strconv.FormatBool(aws.ToBool(left.table.DeletionProtectionEnabled))
		if d := left.table.SSEDescription; d != nil {
			named[paramKey] = aws.ToString(d.KMSMasterKeyArn)
		}
	}
	if left.bucket != "" {
		take(resourceBucket, "AWS::S3::Bucket", "BucketName", left.bucket)
		named[paramBucket] = left.bucket
	}
	p.params = parameters(named, nil)
	return p
}
