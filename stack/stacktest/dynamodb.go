package stacktest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// LeadingKeys is the condition key with the partition keys of a request to DynamoDB.
const LeadingKeys = "dynamodb:LeadingKeys"

// tableRequest is what is understood of a request to DynamoDB.
type tableRequest struct {
	TableName, IndexName, UpdateExpression string
	DeletionProtectionEnabled              *bool
	Key, Item, ExpressionAttributeValues   values
	ExpressionAttributeNames               map[string]string
	RequestItems                           map[string]struct{ Keys []values }
	TransactItems                          []map[string]tableRequest
}

// values are the attributes of a record, as JSON has them.
type values = map[string]map[string]any

func keyOf(record values) string { return fmt.Sprint(record["PK"]["S"], " ", record["SK"]["S"]) }

// tableARN returns the ARN of a table.
func tableARN(name string) string {
	return "arn:aws:dynamodb:" + Region + ":" + Account + ":table/" + name
}

// DynamoDBRequests returns what IAM authorizes of one request to DynamoDB: for a transaction, each of its actions. The function
// table returns the ARN of a table.
func DynamoDBRequests(operation string, body []byte, table func(name string) string) ([]Request, error) {
	var q tableRequest
	err := json.Unmarshal(body, &q)
	return q.authorized(operation, table), err
}

func (q tableRequest) authorized(operation string, table func(name string) string) (all []Request) {
	add := func(name string, keys ...values) {
		resource := table(name)
		if q.IndexName != "" {
			resource += "/index/" + q.IndexName
		}
		var leading []string
		for _, k := range keys {
			if pk, ok := k["PK"]["S"].(string); ok && !slices.Contains(leading, pk) {
				leading = append(leading, pk)
			}
		}
		all = append(all, Request{Action: "dynamodb:" + operation, Resource: resource}.With(LeadingKeys, leading...))
	}
	switch operation {
	case "BatchGetItem":
		for name, items := range q.RequestItems {
			add(name, items.Keys...)
		}
	case "Query":
		add(q.TableName, values{"PK": q.ExpressionAttributeValues[":h"]})
	case "TransactWriteItems":
		for _, item := range q.TransactItems {
			for kind, w := range item { // Update, Put, Delete, ConditionCheck
				all = append(all, w.authorized(kind+"Item", table)...)
			}
		}
	default:
		add(q.TableName, q.Key, q.Item)
	}
	return all
}

// serveDynamoDB passes requests on to the DynamoDB behind. Without one it knows tables by their names, and few requests.
func (a *AWS) serveDynamoDB(w http.ResponseWriter, r *http.Request) {
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	var q tableRequest
	body, _ := io.ReadAll(r.Body)
	_ = json.Unmarshal(body, &q) // if one of the two fails, there is no such table
	a.lock.Lock()
	defer a.lock.Unlock()
	answer := a.receive(operation, q.authorized(operation, tableARN))
	e := a.existing[tableKind+" "+q.TableName]
	isBehind := a.behind != "" && operation != "DescribeContinuousBackups" // which DynamoDB Local does not know
	var result map[string]any
	if answer == nil && !isBehind {
		result, answer = e.answer(operation, q)
	}
	if answer != nil {
		code := "com.amazonaws.dynamodb.v20120810#" + answer.Code
		writeJSON(w, answer.Status, map[string]any{"__type": code, "message": answer.Message})
		return
	}
	switch {
	case operation == "DeleteTable" && !e.protected():
		delete(a.existing, tableKind+" "+q.TableName)
	case operation == "UpdateTable" && e != nil && q.DeletionProtectionEnabled != nil:
		e.properties["DeletionProtectionEnabled"] = *q.DeletionProtectionEnabled
	}
	if !isBehind {
		writeJSON(w, http.StatusOK, result)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	host := strings.TrimPrefix(a.behind, "http://")
	httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: host}).ServeHTTP(w, r)
}

func writeJSON(w http.ResponseWriter, status int, v map[string]any) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a client that has gone reads nothing
}

// answer answers for a table without a DynamoDB behind it; nil is a table that does not exist.
func (e *existing) answer(operation string, q tableRequest) (map[string]any, *Answer) {
	switch {
	case operation == "TransactWriteItems": // whose effects nobody reads
	case e == nil:
		return nil, &Answer{400, "ResourceNotFoundException", "Requested resource not found: Table: " + q.TableName + " not found"}
	case operation == "DeleteTable" && e.protected():
		return nil, &Answer{400, "ValidationException", "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first."}
	case operation == "GetItem":
		return map[string]any{"Item": e.items[keyOf(q.Key)]}, nil
	case operation == "PutItem":
		e.items[keyOf(q.Item)] = q.Item
	case operation == "UpdateItem":
		e.update(q)
	case operation == "DescribeTable":
		return map[string]any{"Table": e.description()}, nil
	case operation == "DescribeTimeToLive":
		return map[string]any{"TimeToLiveDescription": e.expiry()}, nil
	case operation == "DescribeContinuousBackups":
		return map[string]any{"ContinuousBackupsDescription": e.backups()}, nil
	case operation == "DeleteTable", operation == "UpdateTable": // the caller does the rest, and nobody reads the answer
	default:
		return nil, &Answer{400, "UnknownOperationException", "stacktest: " + operation + " needs a DynamoDB behind, Options.DynamoDB"}
	}
	return map[string]any{}, nil
}

// setting is one part of an update: #a = :v, or #a = if_not_exists(#a, :v).
var setting = regexp.MustCompile(`(#\w+) = (if_not_exists\(#\w+, )?(:\w+)`)

// update changes a record, if the expression only sets attributes to values.
func (e *existing) update(q tableRequest) {
	record := maps.Clone(q.Key)
	maps.Copy(record, e.items[keyOf(q.Key)])
	for _, part := range setting.FindAllStringSubmatch(q.UpdateExpression, -1) {
		if name := q.ExpressionAttributeNames[part[1]]; part[2] == "" || record[name] == nil {
			record[name] = q.ExpressionAttributeValues[part[3]]
		}
	}
	e.items[keyOf(q.Key)] = record
}

// description is the answer of DescribeTable. It may have properties that DescribeTable does not know, which clients ignore.
func (e *existing) description() map[string]any {
	d := map[string]any{"TableStatus": "ACTIVE", "TableArn": tableARN(text(e.at("TableName"))), "TableSizeBytes": 0, "ItemCount": len(e.items)}
	maps.Copy(d, e.properties)
	if mode := e.at("BillingMode"); mode != nil && mode != "PROVISIONED" {
		d["BillingModeSummary"] = map[string]any{"BillingMode": mode}
	}
	if view := e.at("StreamSpecification", "StreamViewType"); view != nil {
		d["StreamSpecification"] = map[string]any{"StreamEnabled": true, "StreamViewType": view}
	}
	if e.isOn("SSESpecification", "SSEEnabled") {
		d["SSEDescription"] = map[string]any{"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": e.at("SSESpecification", "KMSMasterKeyId")}
	}
	return d
}

// expiry is the answer of DescribeTimeToLive.
func (e *existing) expiry() map[string]any {
	if !e.isOn("TimeToLiveSpecification", "Enabled") {
		return map[string]any{"TimeToLiveStatus": "DISABLED"}
	}
	return map[string]any{"TimeToLiveStatus": "ENABLED", "AttributeName": e.at("TimeToLiveSpecification", "AttributeName")}
}

// backups is the answer of DescribeContinuousBackups.
func (e *existing) backups() map[string]any {
	d := map[string]any{"PointInTimeRecoveryStatus": "DISABLED"}
	if e.isOn("PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled") {
		days, _ := strconv.Atoi(text(e.at("PointInTimeRecoverySpecification", "RecoveryPeriodInDays")))
		d = map[string]any{"PointInTimeRecoveryStatus": "ENABLED", "RecoveryPeriodInDays": cmp.Or(days, 35)}
	}
	return map[string]any{"ContinuousBackupsStatus": "ENABLED", "PointInTimeRecoveryDescription": d}
}

// createTable creates a table in the DynamoDB behind, if there is one. The table has no backups there.
func (a *AWS) createTable(e *existing) error {
	if a.behind == "" {
		return nil
	}
	var in dynamodb.CreateTableInput
	text, err := json.Marshal(e.properties)
	if err := errors.Join(err, json.Unmarshal(text, &in)); err != nil {
		return err
	}
	if in.StreamSpecification != nil {
		in.StreamSpecification.StreamEnabled = aws.Bool(true)
	}
	tables := dynamodb.NewFromConfig(a.Config(), func(o *dynamodb.Options) { o.BaseEndpoint = &a.behind })
	_, err = tables.CreateTable(context.Background(), &in)
	return err
}
