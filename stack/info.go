package stack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// stackInfo describes a stack, without its table.
func (s *session) stackInfo(st *state) Info {
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
	maps.DeleteFunc(i.Tags, func(key, _ string) bool { return isOwnTag(key) })
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

// info describes a stack and its table.
func (s *session) info(ctx context.Context, st *state) (Info, error) {
	i := s.stackInfo(st)
	table, err := s.table(ctx)
	if err != nil || table == nil {
		return i, err
	}
	_, err = s.addTableInfo(ctx, &i, table)
	return i, err
}

// addTableInfo adds the description of the table to i. A table that is UPDATING serves reads and writes (API reference of
// UpdateTable).
func (s *session) addTableInfo(ctx context.Context, i *Info, table *types.TableDescription) (schemaRecord, error) {
	i.Table, i.TableStatus = s.name, string(table.TableStatus)
	i.DeletionProtection = aws.ToBool(table.DeletionProtectionEnabled)
	i.Items, i.Bytes = aws.ToInt64(table.ItemCount), aws.ToInt64(table.TableSizeBytes)
	start := s.o.Now()
	found, err := s.readRecord(ctx)
	i.Latency, i.SchemaVersion = s.o.Now().Sub(start), cmp.Or(found.version, i.SchemaVersion)
	i.Available = err == nil && (table.TableStatus == types.TableStatusActive || table.TableStatus == types.TableStatusUpdating)
	return found, err
}

// get describes the stack, or only the table.
func (s *session) get(ctx context.Context) (Info, error) {
	st, err := s.describe(ctx, s.name)
	var why error
	switch {
	case err == nil && st != nil && (st.managed() || st.hasTemplate()):
		return s.info(ctx, st)
	case isDenied(err):
		why = s.errCall("read the stack", err)
	case err != nil:
		return Info{}, s.errCall("read the stack", err)
	case st != nil:
		why = s.errForeign("stack", "and this program did not create it")
	default:
		why = s.errAbsent()
	}
	i, err := s.tableInfo(ctx)
	if err != nil && i.Name == "" && !isDenied(err) {
		if !errors.Is(why, ErrNotFound) || errors.Is(err, ErrNotFound) {
			return Info{}, why
		}
		return Info{}, err
	}
	if errors.Is(why, ErrNotFound) {
		why = fmt.Errorf("%w: the table %s does not belong to a stack: use the tool that created it, or adopt it with zae-limiter deploy --name %s --adopt",
			ErrNotFound, s.name, s.name)
	}
	i.Reason = why.Error()
	return i, err
}

// tableInfo describes a table without a stack.
func (s *session) tableInfo(ctx context.Context) (Info, error) {
	i := Info{Name: s.name, Region: s.region}
	f, err := s.limiterTable(ctx)
	if err != nil {
		return Info{}, err
	}
	found, err := s.addTableInfo(ctx, &i, f.TableDescription)
	if err != nil {
		return i, err
	}
	i.Missing = f.missing(s.name)
	if found.version == "" {
		i.Available = false
		i.Missing = append([]string{"schema record: stores cannot be opened: run: zae-limiter init --name " + s.name}, i.Missing...)
	}
	return i, nil
}

// limiterTable returns the table if it can hold a limiter's records.
func (s *session) limiterTable(ctx context.Context) (*tableFacts, error) {
	table, err := s.table(ctx)
	switch {
	case err != nil:
		return nil, err
	case table == nil:
		return nil, fmt.Errorf("%w: table %s in %s: create it with zae-limiter deploy --name %s, or check region and account",
			ErrNotFound, s.name, s.region, s.name)
	case !hasLimiterKeys(table):
		return nil, s.errUninitializable("its keys must be " + hashKey + " and " + rangeKey + ", both strings: create another table")
	}
	f, err := s.describeTable(ctx, table)
	if err != nil {
		return nil, err
	}
	if why := f.indexFault(); why != "" {
		return nil, s.errUninitializable(why + ": create another table, or recreate that index")
	}
	return f, nil
}

// init writes the schema record of a table that another tool has created, without the name of a stack.
func (s *session) init(ctx context.Context) (Info, error) {
	f, err := s.limiterTable(ctx)
	if err != nil {
		return Info{}, err
	}
	if f.index() == nil {
		return Info{}, s.errUninitializable(fmt.Sprintf("the index %s is missing: create it with the keys %s and %s, both strings, KEYS_ONLY", indexName, indexHash, indexRange))
	}
	found, err := s.readSupported(ctx)
	if err == nil && found.version == "" {
		err = s.writeRecord(ctx, "")
	}
	if err != nil {
		return Info{}, err
	}
	return s.tableInfo(ctx)
}

// list reads all stacks of the region, since only their tags show which belong to this package.
func (s *session) list(ctx context.Context) ([]Info, error) {
	var all []Info
	for page := (*string)(nil); ; {
		out, err := s.stacks.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{NextToken: page})
		if err != nil {
			return nil, &callError{fmt.Sprintf("stack: cannot list the stacks in %s: %s", s.region, serviceMessage(err)), err}
		}
		for i := range out.Stacks {
			if st := newState(&out.Stacks[i]); st.tags[tagManagedBy] == managedBy && st.managed() {
				all = append(all, s.stackInfo(st))
			}
		}
		if page = out.NextToken; page == nil {
			slices.SortFunc(all, func(a, b Info) int { return cmp.Compare(a.Name, b.Name) })
			return all, nil
		}
	}
}
