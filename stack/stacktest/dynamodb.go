package stacktest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// tableRequest is what is understood of a request to DynamoDB.
type tableRequest struct {
	TableName                 string
	DeletionProtectionEnabled *bool
	Key, Item                 values
	ConditionExpression       *string
	UpdateExpression          string
	ExpressionAttributeNames  map[string]string
	ExpressionAttributeValues values
}

// values are the attributes of a record, as JSON has them.
type values = map[string]map[string]any

func keyOf(record values) string { return fmt.Sprint(record["PK"]["S"], " ", record["SK"]["S"]) }

// serveDynamoDB passes requests on to the DynamoDB behind. Without one it knows tables by their names, and few requests.
func (a *AWS) serveDynamoDB(w http.ResponseWriter, r *http.Request) {
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	body, err := io.ReadAll(r.Body)
	var requests []Request
	if err == nil {
		requests, err = DynamoDBRequests(operation, body, func(name string) string { return arnOf(Region, tableKind, shortName(name)) })
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var request tableRequest
	_ = json.Unmarshal(body, &request) // the rest is for the DynamoDB behind
	a.lock.Lock()
	defer a.lock.Unlock()
	answer := a.nextAnswer(operation)
	a.catchUp()
	if answer == nil {
		a.authorize(requests...)
	}
	name := shortName(request.TableName)
	e := a.existing[tableKind+" "+name]
	if answer == nil && a.proxy != nil && operation != "DescribeContinuousBackups" { // which DynamoDB Local does not know
		a.lock.Unlock()
		r.Body = io.NopCloser(bytes.NewReader(body))
		a.proxy.ServeHTTP(w, r)
		a.lock.Lock()
	} else {
		var result any
		if answer == nil {
			result, answer = e.answer(name, operation, request)
		}
		if answer != nil {
			writeJSON(w, answer.Status, map[string]string{"__type": "com.amazonaws.dynamodb.v20120810#" + answer.Code, "message": answer.Message})
			return
		}
		writeJSON(w, http.StatusOK, result)
	}
	switch {
	case operation == "DeleteTable" && !e.protected():
		delete(a.existing, tableKind+" "+name)
	case operation == "UpdateTable" && e != nil && request.DeletionProtectionEnabled != nil:
		e.properties["DeletionProtectionEnabled"] = *request.DeletionProtectionEnabled
	}
}

func shortName(nameOrARN string) string { return nameOrARN[strings.LastIndex(nameOrARN, "/")+1:] }

// answer answers for a table without a DynamoDB behind it; nil is a table that does not exist.
func (e *existing) answer(name, operation string, request tableRequest) (map[string]any, *Answer) {
	fails := func(code, message string) (map[string]any, *Answer) {
		return nil, &Answer{http.StatusBadRequest, code, message}
	}
	if e == nil && operation == "DescribeContinuousBackups" { // of a table that only the DynamoDB behind has
		e = &existing{}
	}
	switch {
	case operation == "TransactWriteItems": // whose effects nobody reads
	case e == nil:
		return fails("ResourceNotFoundException", "Requested resource not found: Table: "+name+" not found")
	case operation == "DeleteTable" && e.protected():
		return fails("ValidationException", "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.")
	case operation == "PutItem" && request.ConditionExpression != nil && e.items[keyOf(request.Item)] != nil:
		return fails("ConditionalCheckFailedException", "The conditional request failed")
	case operation == "GetItem":
		return map[string]any{"Item": e.items[keyOf(request.Key)]}, nil
	case operation == "PutItem":
		e.items[keyOf(request.Item)] = request.Item
	case operation == "UpdateItem":
		e.update(request)
	case operation == "DescribeTable":
		return map[string]any{"Table": e.description(name)}, nil
	case operation == "DescribeTimeToLive":
		return map[string]any{"TimeToLiveDescription": e.expiry()}, nil
	case operation == "DescribeContinuousBackups":
		return map[string]any{"ContinuousBackupsDescription": e.backups()}, nil
	case operation == "DeleteTable", operation == "UpdateTable":
		return map[string]any{"TableDescription": e.description(name)}, nil
	default:
		return fails("UnknownOperationException", "stacktest: "+operation+" needs a DynamoDB behind, Options.DynamoDB")
	}
	return map[string]any{}, nil
}

// setting is one part of an update: #a = :v, or #a = if_not_exists(#a, :v).
var setting = regexp.MustCompile(`(#\w+) = (if_not_exists\(#\w+, )?(:\w+)`)

// update changes a record, if the expression only sets attributes to values.
func (e *existing) update(request tableRequest) {
	record := maps.Clone(request.Key)
	maps.Copy(record, e.items[keyOf(request.Key)])
	for _, part := range setting.FindAllStringSubmatch(request.UpdateExpression, -1) {
		if name := request.ExpressionAttributeNames[part[1]]; part[2] == "" || record[name] == nil {
			record[name] = request.ExpressionAttributeValues[part[3]]
		}
	}
	e.items[keyOf(request.Key)] = record
}

// description is the answer of DescribeTable, without what a table does not have.
func (e *existing) description(name string) map[string]any {
	d := map[string]any{
		"TableName": name, "TableStatus": "ACTIVE", "TableArn": arnOf(Region, tableKind, name), "TableSizeBytes": 0, "ItemCount": len(e.items),
		"DeletionProtectionEnabled": e.protected(),
	}
	for _, same := range []string{
		"TableStatus", "KeySchema", "AttributeDefinitions", "GlobalSecondaryIndexes", "LocalSecondaryIndexes", "ProvisionedThroughput",
	} {
		if v := e.at(same); v != nil {
			d[same] = v
		}
	}
	if mode := e.at("BillingMode"); mode != nil && mode != "PROVISIONED" {
		d["BillingModeSummary"] = map[string]any{"BillingMode": mode}
	}
	if view := e.at("StreamSpecification", "StreamViewType"); view != nil {
		d["StreamSpecification"] = map[string]any{"StreamEnabled": true, "StreamViewType": view}
	}
	if e.isOn("SSESpecification", "SSEEnabled") {
		key := text(e.at("SSESpecification", "KMSMasterKeyId"))
		if key == "" { // which the service creates
			key = "arn:aws:kms:" + Region + ":" + Account + ":key/of-dynamodb"
		}
		d["SSEDescription"] = map[string]any{"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": key}
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

// limiterTable returns the properties of a table that has the keys of a limiter and nothing else.
func limiterTable(name string) map[string]any {
	attribute := func(name, key, value string) any { return map[string]any{"AttributeName": name, key: value} }
	return map[string]any{
		"TableName": name, "BillingMode": "PAY_PER_REQUEST",
		"KeySchema":            []any{attribute("PK", "KeyType", "HASH"), attribute("SK", "KeyType", "RANGE")},
		"AttributeDefinitions": []any{attribute("PK", "AttributeType", "S"), attribute("SK", "AttributeType", "S")},
	}
}

// createTable creates a table in the DynamoDB behind, if there is one.
func (a *AWS) createTable(properties map[string]any) error {
	if a.tables == nil {
		return nil
	}
	of := maps.Clone(properties)
	for _, name := range []string{"PointInTimeRecoverySpecification", "TimeToLiveSpecification", "SSESpecification", "StreamSpecification", "Tags"} {
		delete(of, name)
	}
	var in dynamodb.CreateTableInput
	text, err := json.Marshal(of)
	if err == nil {
		err = json.Unmarshal(text, &in)
	}
	if view := mapping(properties["StreamSpecification"])["StreamViewType"]; view != nil {
		in.StreamSpecification = &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewType(view.(string))}
	}
	if err == nil {
		_, err = a.tables.CreateTable(context.Background(), &in)
	}
	return err
}
