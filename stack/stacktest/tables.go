package stacktest

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// tableRequest is what is understood of a request.
type tableRequest struct {
	TableName                 string
	DeletionProtectionEnabled *bool
	Key, Item                 values
	ConditionExpression       *string
	UpdateExpression          string
	ExpressionAttributeNames  map[string]string
	ExpressionAttributeValues values
}

// values are attributes of a record, as JSON has them.
type values = map[string]map[string]any

// keyOf is where a record stands.
func keyOf(of values) string { return fmt.Sprint(of["PK"]["S"], " ", of["SK"]["S"]) }

// serve answers for a table that is a name, a few records at most; nil is one that is not there.
func (t *thing) serve(w http.ResponseWriter, name, operation string, request tableRequest) {
	failed := func(code, message string) {
		writeJSON(w, http.StatusBadRequest, map[string]string{"__type": "com.amazonaws.dynamodb.v20120810#" + code, "message": message})
	}
	answer := func(member string, v any) { writeJSON(w, http.StatusOK, map[string]any{member: v}) }
	switch {
	case operation == "TransactWriteItems": // of several tables, and taken note of only
		writeJSON(w, http.StatusOK, map[string]any{})
	case t == nil && operation == "DescribeContinuousBackups": // of a table that only the DynamoDB behind has
		answer("ContinuousBackupsDescription", (&thing{}).backups())
	case t == nil:
		failed("ResourceNotFoundException", "Requested resource not found: Table: "+name+" not found")
	case operation == "GetItem":
		answer("Item", t.items[keyOf(request.Key)])
	case operation == "PutItem" && request.ConditionExpression != nil && t.items[keyOf(request.Item)] != nil:
		failed("ConditionalCheckFailedException", "The conditional request failed")
	case operation == "PutItem":
		t.items[keyOf(request.Item)] = request.Item
		writeJSON(w, http.StatusOK, map[string]any{})
	case operation == "UpdateItem":
		t.update(request)
		writeJSON(w, http.StatusOK, map[string]any{})
	case operation == "DescribeTable":
		answer("Table", t.description(name))
	case operation == "DescribeTimeToLive":
		answer("TimeToLiveDescription", t.expiry())
	case operation == "DescribeContinuousBackups":
		answer("ContinuousBackupsDescription", t.backups())
	case operation == "DeleteTable" && t.protected():
		failed("ValidationException", "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.")
	case operation == "DeleteTable" || operation == "UpdateTable":
		answer("TableDescription", t.description(name))
	default:
		failed("UnknownOperationException", "stacktest: "+operation+" needs a DynamoDB behind, Options.DynamoDB")
	}
}

// setting is one part of an update: #a = :v, or #a = if_not_exists(#a, :v).
var setting = regexp.MustCompile(`(\S+) = (if_not_exists\(\S+, )?(:\w+)`)

// update changes a record, as far as an expression sets attributes to values.
func (t *thing) update(request tableRequest) {
	record := maps.Clone(request.Key)
	maps.Copy(record, t.items[keyOf(request.Key)])
	for _, part := range setting.FindAllStringSubmatch(request.UpdateExpression, -1) {
		name := part[1]
		if long, ok := request.ExpressionAttributeNames[name]; ok {
			name = long
		}
		if part[2] == "" || record[name] == nil {
			record[name] = request.ExpressionAttributeValues[part[3]]
		}
	}
	t.items[keyOf(request.Key)] = record
}

// at is a property of a resource, or of one of its objects.
func (t *thing) at(names ...string) any {
	var v any = t.properties
	for _, name := range names {
		inner, _ := v.(map[string]any)
		v = inner[name]
	}
	return v
}

func (t *thing) isOn(names ...string) bool { return fmt.Sprint(t.at(names...)) == "true" }

// description is that of DescribeTable. What the service leaves out of a table that does not have it is left out.
func (t *thing) description(name string) map[string]any {
	status, _ := t.at("TableStatus").(string)
	if status == "" {
		status = "ACTIVE"
	}
	d := map[string]any{
		"TableName": name, "TableStatus": status, "TableArn": arnOf(tableKind, name), "TableSizeBytes": 0,
		"DeletionProtectionEnabled": t.protected(), "KeySchema": t.at("KeySchema"), "ItemCount": len(t.items),
		"AttributeDefinitions": t.at("AttributeDefinitions"), "GlobalSecondaryIndexes": t.at("GlobalSecondaryIndexes"),
		"LocalSecondaryIndexes": t.at("LocalSecondaryIndexes"), "ProvisionedThroughput": t.at("ProvisionedThroughput"),
	}
	if mode := t.at("BillingMode"); mode != nil && mode != "PROVISIONED" {
		d["BillingModeSummary"] = map[string]any{"BillingMode": mode}
	}
	if view := t.at("StreamSpecification", "StreamViewType"); view != nil {
		d["StreamSpecification"] = map[string]any{"StreamEnabled": true, "StreamViewType": view}
	}
	if t.isOn("SSESpecification", "SSEEnabled") {
		key, _ := t.at("SSESpecification", "KMSMasterKeyId").(string)
		if key == "" { // which the service makes
			key = "arn:aws:kms:" + Region + ":" + Account + ":key/of-dynamodb"
		}
		d["SSEDescription"] = map[string]any{"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": key}
	}
	return d
}

// expiry is the answer of DescribeTimeToLive.
func (t *thing) expiry() map[string]any {
	if !t.isOn("TimeToLiveSpecification", "Enabled") {
		return map[string]any{"TimeToLiveStatus": "DISABLED"}
	}
	return map[string]any{"TimeToLiveStatus": "ENABLED", "AttributeName": t.at("TimeToLiveSpecification", "AttributeName")}
}

// backups is the answer of DescribeContinuousBackups.
func (t *thing) backups() map[string]any {
	d := map[string]any{"PointInTimeRecoveryStatus": "DISABLED"}
	if t.isOn("PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled") {
		days, err := strconv.Atoi(fmt.Sprint(t.at("PointInTimeRecoverySpecification", "RecoveryPeriodInDays")))
		if err != nil {
			days = 35
		}
		d = map[string]any{"PointInTimeRecoveryStatus": "ENABLED", "RecoveryPeriodInDays": days}
	}
	return map[string]any{"ContinuousBackupsStatus": "ENABLED", "PointInTimeRecoveryDescription": d}
}

// plainTable is a table that has a limiter's keys and nothing else.
func plainTable(name string) map[string]any {
	return map[string]any{
		"TableName": name, "BillingMode": "PAY_PER_REQUEST",
		"KeySchema": []any{
			map[string]any{"AttributeName": "PK", "KeyType": "HASH"}, map[string]any{"AttributeName": "SK", "KeyType": "RANGE"},
		},
		"AttributeDefinitions": []any{
			map[string]any{"AttributeName": "PK", "AttributeType": "S"}, map[string]any{"AttributeName": "SK", "AttributeType": "S"},
		},
	}
}

// KeepTable makes a table exist outside of any stack, with the keys of a limiter and whatever properties CloudFormation knows
// beside them. A property TableStatus is the status that it is in.
func (a *AWS) KeepTable(name string, properties map[string]any) {
	a.lock.Lock()
	defer a.lock.Unlock()
	all := plainTable(name)
	maps.Copy(all, properties)
	a.things[tableKind+" "+name] = &thing{properties: all, items: map[string]values{}}
}

// Property is one of a table, a bucket or a function as it is, whatever the template of its stack says; nil if it has none.
// Parts of it are named with dots between them.
func (a *AWS) Property(kind, name, property string) any {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.catchUp()
	if t := a.things[kind+" "+name]; t != nil {
		return t.at(strings.Split(property, ".")...)
	}
	return nil
}
