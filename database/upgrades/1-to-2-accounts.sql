-- A consumer of version 1 wrote to the table; that of version 2 only calls routines. GRANT: nobody can revoke what is not given.
GRANT UPDATE (valor, processing, claimed_by, attempts, due_at, filled_at, last_error) ON Events TO 'consumer'@'%';
REVOKE UPDATE (valor, processing, claimed_by, attempts, due_at, filled_at, last_error) ON Events FROM 'consumer'@'%';
