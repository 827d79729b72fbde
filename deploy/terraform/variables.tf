variable "name" {
  description = "Name of the table. Programs open it by this name: dynamo.Open(ctx, name, nil), ZAE_LIMITER_NAME."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9-]{2,52}$", var.name))
    error_message = "The name must be 3 to 53 letters, digits and '-', and begin with a letter."
  }
}

variable "point_in_time_recovery_days" {
  description = "Days of point-in-time recovery, 1 to 35; 0 for none."
  type        = number
  default     = 0
}

variable "deletion_protection" {
  description = "Protect the table from deletion."
  type        = bool
  default     = false
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts the table; empty for DynamoDB's own."
  type        = string
  default     = ""
}

variable "create_policies" {
  description = "Create the managed policies for programs: acquire, full and read, and the same three for one namespace."
  type        = bool
  default     = true
}

variable "lambda_zip" {
  description = "Path of the aggregator's code, which `zae-limiter lambda-export` writes; empty for no aggregator. Without it, no usage is recorded, and expired audit events are deleted."
  type        = string
  default     = ""
}

variable "lambda_architecture" {
  description = "Processor that the code was built for: arm64 or x86_64."
  type        = string
  default     = "arm64"
}

variable "lambda_timeout" {
  description = "Timeout of the function, in seconds."
  type        = number
  default     = 60
}

variable "lambda_memory" {
  description = "Memory of the function, in MB."
  type        = number
  default     = 256
}

variable "log_retention_days" {
  description = "Days for which the function's log is kept."
  type        = number
  default     = 30
}

variable "snapshot_windows" {
  description = "Windows for which usage is recorded: hourly, daily, monthly, separated by commas."
  type        = string
  default     = "hourly,daily"
}

variable "usage_retention_days" {
  description = "Days for which usage is kept."
  type        = number
  default     = 90
}

variable "audit_retention_days" {
  description = "Days for which audit events are kept in the table."
  type        = number
  default     = 90
}

variable "archive_bucket" {
  description = "Name of a bucket in which expired audit events are archived, under audit/; empty for none."
  type        = string
  default     = ""
}

variable "permissions_boundary" {
  description = "ARN of the permissions boundary of the function's role; empty for none."
  type        = string
  default     = ""
}

variable "tags" {
  description = "Tags of all resources."
  type        = map(string)
  default     = {}
}
