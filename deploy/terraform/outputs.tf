output "table_name" {
  description = "Name of the table. Initialize it once: zae-limiter init --name NAME."
  value       = aws_dynamodb_table.this.name
}

output "table_arn" {
  description = "ARN of the table."
  value       = aws_dynamodb_table.this.arn
}

output "stream_arn" {
  description = "ARN of the table's stream."
  value       = aws_dynamodb_table.this.stream_arn
}

output "policy_arns" {
  description = "ARNs of the policies for programs: acquire, full, read, namespace_acquire, namespace_full, namespace_read."
  value       = { for key, policy in aws_iam_policy.this : key => policy.arn }
}
