data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  # The policies are generated from the project's CloudFormation template.
  policies = var.create_policies ? {
    acquire           = "acq"
    full              = "full"
    read              = "read"
    namespace_acquire = "ns-acq"
    namespace_full    = "ns-full"
    namespace_read    = "ns-read"
  } : {}

  no_key = "arn:${data.aws_partition.current.partition}:kms:${data.aws_region.current.region}:${data.aws_caller_identity.current.account_id}:key/none"
}

resource "aws_iam_policy" "this" {
  for_each = local.policies

  name = "${var.name}-${each.value}"
  tags = var.tags
  policy = templatefile("${path.module}/policies/${each.value}.json.tftpl", {
    table_arn  = aws_dynamodb_table.this.arn
    key_arn    = var.kms_key_arn == "" ? local.no_key : var.kms_key_arn
    partition  = data.aws_partition.current.partition
    region     = data.aws_region.current.region
    account    = data.aws_caller_identity.current.account_id
    url_suffix = data.aws_partition.current.dns_suffix
  })
}
