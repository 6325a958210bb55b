"""What tasks know of HTTP, without `http.client`, whose import costs 27 ms."""
