"""What brings a run to hosts: the batch engine, the playbook compiler and ansible-runner."""
