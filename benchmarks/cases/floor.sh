# The same six checks as every other case, as one shell script: what bare SSH can do.
systemctl is-active bench.service
systemctl is-enabled bench.service
df -P / | awk 'NR == 2 && $5 + 0 >= 95 { exit 1 }'
awk '/MemTotal/ { t = $2 } /MemAvailable/ { a = $2 } END { exit a / t < 0.02 }' /proc/meminfo
test "$(du -sk /var/log | cut -f1)" -lt 10485760
cmp -s /etc/logrotate.d/bench /var/lib/bench/rotation
find /var/lib/bench/logs -name '*.log.*' -mtime +30 | wc -l
