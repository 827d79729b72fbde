// Package prices has AWS's prices of DynamoDB, with the month in which they were looked up. Documents and projections use them, so
// that they change together.
//
// Package prices does not know what an account really pays: AWS's bill says that.
package prices
