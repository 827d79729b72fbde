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

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

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

// serveDynamoDB passes requests on to the DynamoDB behind. Without one it knows tables by their names, and few requests.
func (a *AWS) serveDynamoDB(w http.ResponseWriter, r *http.Request) {
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	var body bytes.Buffer
	var q tableRequest
	if err := json.NewDecoder(io.TeeReader(r.Body, &body)).Decode(&q); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	a.lock.Lock()
	defer a.lock.Unlock()
	answer := a.receive(operation, q.authorized(operation, func(name string) string { return tableARN(shortName(name)) }))
	name := shortName(q.TableName)
	e := a.existing[tableKind+" "+name]
	if answer == nil && a.proxy != nil && operation != "DescribeContinuousBackups" { // which DynamoDB Local does not know
		r.Body = io.NopCloser(&body)
		a.proxy.ServeHTTP(w, r)
	} else {
		var result any
		if answer == nil {
			result, answer = e.answer(name, operation, q)
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
	case operation == "UpdateTable" && e != nil && q.DeletionProtectionEnabled != nil:
		e.properties["DeletionProtectionEnabled"] = *q.DeletionProtectionEnabled
	}
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a client that has gone reads nothing
}

func shortName(nameOrARN string) string { return nameOrARN[strings.LastIndex(nameOrARN, "/")+1:] }

// answer answers for a table without a DynamoDB behind it; nil is a table that does not exist.
func (e *existing) answer(name, operation string, q tableRequest) (map[string]any, *Answer) {
	switch {
	case operation == "TransactWriteItems": // whose effects nobody reads
	case e == nil:
		return nil, &Answer{400, "ResourceNotFoundException", "Requested resource not found: Table: " + name + " not found"}
	case operation == "DeleteTable" && e.protected():
		return nil, &Answer{400, "ValidationException", "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first."}
	case operation == "GetItem":
		return map[string]any{"Item": e.items[keyOf(q.Key)]}, nil
	case operation == "PutItem":
		e.items[keyOf(q.Item)] = q.Item
	case operation == "UpdateItem":
		e.update(q)
	case operation == "DescribeTable":
		return map[string]any{"Table": e.description(name)}, nil
	case operation == "DescribeTimeToLive":
		return map[string]any{"TimeToLiveDescription": e.expiry()}, nil
	case operation == "DescribeContinuousBackups":
		return map[string]any{"ContinuousBackupsDescription": e.backups()}, nil
	case operation == "DeleteTable", operation == "UpdateTable":
		return map[string]any{"TableDescription": e.description(name)}, nil
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
func (e *existing) description(name string) map[string]any {
	d := map[string]any{"TableStatus": "ACTIVE"}
	maps.Copy(d, e.properties)
	maps.Copy(d, map[string]any{
		"TableName": name, "TableArn": tableARN(name), "TableSizeBytes": 0, "ItemCount": len(e.items),
		"DeletionProtectionEnabled": e.protected(),
	})
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

// createTable creates a table in the DynamoDB behind, if there is one. The table has no tags, backups or encryption there.
func (a *AWS) createTable(e *existing) error {
	if a.tables == nil {
		return nil
	}
	of := maps.Clone(e.properties)
	delete(of, "SSESpecification")
	delete(of, "Tags")
	if view := e.at("StreamSpecification", "StreamViewType"); view != nil {
		of["StreamSpecification"] = map[string]any{"StreamEnabled": true, "StreamViewType": view}
	}
	var in dynamodb.CreateTableInput
	text, err := json.Marshal(of)
	if err == nil {
		err = json.Unmarshal(text, &in)
	}
	if err == nil {
		_, err = a.tables.CreateTable(context.Background(), &in)
	}
	return err
}
