"""What is done from the controller: tasks on cloud services, and what they know of them."""
