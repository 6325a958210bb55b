"""What an audit reads: logins in logs and in wtmp, authorized keys, files of packages and files that give rights."""
