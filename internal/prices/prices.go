package prices

// DynamoDB are the prices of a table on demand in one region.
type DynamoDB struct {
	Region string
	Month  string  // in which they were looked up
	Write  float64 // dollars for a million write units
	Read   float64 // dollars for a million read units, of which a consistent read of up to 4 KB takes one
}

// OnDemand are the prices that documents and projections use.
var OnDemand = DynamoDB{Region: "us-east-1", Month: "November 2026", Write: 0.625, Read: 0.125}

// Dollars is what units cost.
func (p DynamoDB) Dollars(writes, reads float64) float64 {
	return (writes*p.Write + reads*p.Read) / 1e6
}

// SecondsPerMonth are those of a month of 730 hours, as AWS reckons.
const SecondsPerMonth = 730 * 3600
