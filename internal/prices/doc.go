// Package prices is what AWS asks for DynamoDB, as data with a date.
//
// Documents and projections take their figures from here, so that they change together. It is no price list: what a month
// really costs is on AWS's bill, and not here.
package prices
