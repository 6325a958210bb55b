"""What cloud tasks know of Google Cloud. The only place that imports its libraries."""
