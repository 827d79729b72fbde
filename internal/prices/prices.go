package prices

// DynamoDB has the prices of an on-demand table in one region.
type DynamoDB struct {
	Region string
	Month  string  // in which they were looked up
	Write  float64 // dollars for a million write units
	Read   float64 // dollars for a million read units; a consistent read of up to 4 KB is one unit
}

// OnDemand has the prices that documents and projections use.
var OnDemand = DynamoDB{Region: "us-east-1", Month: "November 2026", Write: 0.625, Read: 0.125}

// Dollars returns the cost of write units and read units.
func (p DynamoDB) Dollars(writes, reads float64) float64 {
	return (writes*p.Write + reads*p.Read) / 1e6
}

// SecondsPerMonth is the number of seconds in a month of 730 hours, as in AWS's calculations.
const SecondsPerMonth = 730 * 3600
