-- What the processes may do beyond accounts.sql where their server is a member of a group, for an account that may grant it:
-- to see whether the member is cut off from the others. Without it a primary that is cut off is noticed later.

GRANT SELECT ON performance_schema.replication_group_members TO 'producer'@'%';
GRANT SELECT ON performance_schema.replication_group_members TO 'consumer'@'%';
