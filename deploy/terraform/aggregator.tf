locals {
  # for_each keys of the resources that only an aggregator needs.
  aggregator = var.lambda_zip == "" ? toset([]) : toset(["aggregator"])
}

resource "aws_sqs_queue" "dlq" {
  for_each = local.aggregator

  name                      = "${var.name}-aggregator-dlq"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
  tags                      = var.tags
}

resource "aws_cloudwatch_log_group" "aggregator" {
  for_each = local.aggregator

  name              = "/aws/lambda/${var.name}-aggregator"
  retention_in_days = var.log_retention_days
  tags              = var.tags
}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "aggregator" {
  for_each = local.aggregator

  statement {
    sid       = "Logs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.aggregator[each.key].arn}:*"]
  }

  statement {
    sid       = "Stream"
    actions   = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"]
    resources = [aws_dynamodb_table.this.stream_arn]
  }

  statement {
    sid       = "Streams"
    actions   = ["dynamodb:ListStreams"]
    resources = ["*"]
  }

  statement {
    sid       = "Data"
    actions   = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem"]
    resources = [aws_dynamodb_table.this.arn]
  }

  statement {
    sid       = "Failures"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.dlq[each.key].arn]
  }

  dynamic "statement" {
    for_each = var.archive_bucket == "" ? [] : [var.archive_bucket]

    content {
      sid       = "Archive"
      actions   = ["s3:PutObject"]
      resources = ["arn:${data.aws_partition.current.partition}:s3:::${statement.value}/audit/*"]
    }
  }

  dynamic "statement" {
    for_each = var.kms_key_arn == "" ? [] : [var.kms_key_arn]

    content {
      sid       = "Key"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [statement.value]
    }
  }
}

resource "aws_iam_role" "aggregator" {
  for_each = local.aggregator

  name                 = "${var.name}-aggr"
  assume_role_policy   = data.aws_iam_policy_document.assume.json
  permissions_boundary = var.permissions_boundary == "" ? null : var.permissions_boundary
  tags                 = var.tags
}

resource "aws_iam_role_policy" "aggregator" {
  for_each = local.aggregator

  name   = "aggregator"
  role   = aws_iam_role.aggregator[each.key].id
  policy = data.aws_iam_policy_document.aggregator[each.key].json
}

resource "aws_lambda_function" "aggregator" {
  for_each = local.aggregator

  function_name    = "${var.name}-aggregator"
  description      = "Records usage and archives audit events"
  role             = aws_iam_role.aggregator[each.key].arn
  runtime          = "provided.al2023"
  handler          = "bootstrap"
  architectures    = [var.lambda_architecture]
  filename         = var.lambda_zip
  source_code_hash = filebase64sha256(var.lambda_zip)
  timeout          = var.lambda_timeout
  memory_size      = var.lambda_memory
  tags             = var.tags

  environment {
    variables = merge(
      {
        TABLE_NAME           = aws_dynamodb_table.this.name
        SNAPSHOT_WINDOWS     = var.snapshot_windows
        USAGE_RETENTION_DAYS = tostring(var.usage_retention_days)
        AUDIT_RETENTION_DAYS = tostring(var.audit_retention_days)
      },
      var.archive_bucket == "" ? {} : { ARCHIVE_BUCKET_NAME = var.archive_bucket },
    )
  }

  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.aggregator[each.key].name
  }

  depends_on = [aws_iam_role_policy.aggregator]
}

resource "aws_lambda_event_source_mapping" "aggregator" {
  for_each = local.aggregator

  event_source_arn                   = aws_dynamodb_table.this.stream_arn
  function_name                      = aws_lambda_function.aggregator[each.key].arn
  starting_position                  = "TRIM_HORIZON"
  batch_size                         = 100
  maximum_batching_window_in_seconds = 5
  maximum_retry_attempts             = 3
  maximum_record_age_in_seconds      = -1
  bisect_batch_on_function_error     = true
  function_response_types            = ["ReportBatchItemFailures"]
  tags                               = var.tags

  destination_config {
    on_failure {
      destination_arn = aws_sqs_queue.dlq[each.key].arn
    }
  }

  # Buckets and audit events, selected by the content of the records.
  filter_criteria {
    filter {
      pattern = "{\"dynamodb\":{\"Keys\":{\"SK\":{\"S\":[\"bucket\"]}}}}"
    }

    filter {
      pattern = "{\"dynamodb\":{\"NewImage\":{\"action\":{\"S\":[{\"exists\":true}]}}}}"
    }

    filter {
      pattern = "{\"dynamodb\":{\"OldImage\":{\"action\":{\"S\":[{\"exists\":true}]}}}}"
    }
  }
}
