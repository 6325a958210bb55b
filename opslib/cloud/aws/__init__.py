"""What cloud tasks know of Amazon Web Services. The only place that imports boto3."""
