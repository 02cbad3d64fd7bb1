-- Beyond accounts.sql, where the server is a member of a group: to see whether it is cut off from the others. Without this a
-- primary that is cut off is noticed later.

GRANT SELECT ON performance_schema.replication_group_members TO 'producer'@'%';
GRANT SELECT ON performance_schema.replication_group_members TO 'consumer'@'%';
