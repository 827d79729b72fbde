package stack

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// sketch is what CloudFormation alone tells.
func (s *session) sketch(st *state) Info {
	i := Info{
		Name: st.name, ID: st.id, Region: s.region, Status: string(st.status), Reason: st.reason, Health: health(st.status),
		Created: st.created, Updated: st.updated,
		Version: st.tags[tagVersion], SchemaVersion: st.tags[tagSchema],
		Aggregator: st.outputs["AggregatorFunctionName"] != "", TerminationProtection: st.protected,
		Parameters: st.params, Outputs: st.outputs, Tags: maps.Clone(st.tags),
		Table: st.outputs["TableName"], Bucket: st.outputs["ArchiveBucketName"], RoleARNs: map[string]string{},
	}
	if i.Aggregator {
		i.FunctionVersion = st.tags[tagFunction]
	}
	maps.DeleteFunc(i.Tags, func(key, _ string) bool { return ownTag(key) })
	for role, output := range map[string]string{
		"aggregator": "AggregatorRoleArn", "app": "AppRoleArn", "admin": "AdminRoleArn", "read": "ReadOnlyRoleArn",
	} {
		if arn := st.outputs[output]; arn != "" {
			i.RoleARNs[role] = arn
		}
	}
	if arn := st.params[paramRole]; arn != "" {
		i.RoleARNs["aggregator"] = arn
	}
	return i
}

// info is the sketch with what the table tells.
func (s *session) info(ctx context.Context, st *state) (Info, error) {
	i := s.sketch(st)
	table, err := s.table(ctx)
	if err != nil || table == nil {
		return i, err
	}
	i.Table, i.TableStatus = s.name, string(table.TableStatus)
	i.DeletionProtection = aws.ToBool(table.DeletionProtectionEnabled)
	i.Items, i.Bytes = aws.ToInt64(table.ItemCount), aws.ToInt64(table.TableSizeBytes)
	version, took, err := s.ask(ctx)
	i.Latency, i.SchemaVersion = took, cmp.Or(version, i.SchemaVersion)
	i.Available = err == nil && table.TableStatus == types.TableStatusActive
	return i, err
}

// list pages through all stacks of the region, since only their tags tell which are ours.
func (s *session) list(ctx context.Context) ([]Info, error) {
	var all []Info
	for page := (*string)(nil); ; {
		out, err := s.stacks.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{NextToken: page})
		if err != nil {
			return nil, errList(s.region, err)
		}
		for i := range out.Stacks {
			if st := stateOf(&out.Stacks[i]); st.tags[tagManagedBy] == managedBy && st.ours() {
				all = append(all, s.sketch(st))
			}
		}
		if page = out.NextToken; page == nil {
			slices.SortFunc(all, func(a, b Info) int { return cmp.Compare(a.Name, b.Name) })
			return all, nil
		}
	}
}
