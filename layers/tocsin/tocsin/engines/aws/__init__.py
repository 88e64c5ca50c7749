"""The AWS engine: one DynamoDB table, SQS, Secrets Manager, EventBridge. Import its modules singly, a Lambda pays."""
